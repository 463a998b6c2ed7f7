//! A tuned model in the formats of others.

mod hugging_face;
mod onnx;
mod peft;
mod safetensors;
mod torchscript;

pub use hugging_face::hugging_face;
pub use onnx::onnx;
pub use peft::peft;
pub use safetensors::safetensors;
pub use torchscript::torchscript;
