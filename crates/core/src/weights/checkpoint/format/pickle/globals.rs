//! The names that a pickle may use.

use safetensors::Dtype;

/// The meaning of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// A typed storage, or one of bytes.
    Storage(Option<Dtype>),
    /// `torch.float32` and the like.
    Dtype(Dtype),
    /// A function that makes a tensor from a storage.
    Rebuild(Rebuild),
    /// A function that returns its first argument, as far as a tensor needs it.
    First,
    /// `_rebuild_from_type_v2(function, type, arguments, state)`.
    RebuildFromType,
    /// `_codecs.encode`, which protocol 2 makes bytes with.
    Encode,
    /// A type or function whose values no tensor needs, by the name of the type.
    Inert(&'static str),
    /// A class of TorchScript: `__torch__.…`.
    Script,
}

/// How a tensor is made from a storage; the arguments after offset, shape and strides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebuild {
    /// Irrelevant.
    Typed,
    /// The third is the element type.
    Untyped,
}

/// The meaning of a name; `None`: it is not known.
pub(super) fn find(module: &str, name: &str) -> Option<Global> {
    let torch = |name: &str| storage(name).or_else(|| dtype(name).map(Global::Dtype));
    match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("collections", "Counter") => Some(Global::Inert("Counter")),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
            Some(Global::Rebuild(Rebuild::Typed))
        }
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::Rebuild(Rebuild::Untyped)),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
        | ("torch", "Size")
        | ("__builtin__" | "builtins", "set" | "frozenset" | "list" | "tuple")
        | (
            "torch.jit._pickle",
            "restore_type_tag" | "build_intlist" | "build_doublelist" | "build_boollist"
            | "build_tensorlist",
        ) => Some(Global::First),
        ("torch._tensor", "_rebuild_from_type_v2") => Some(Global::RebuildFromType),
        ("_codecs", "encode") => Some(Global::Encode),
        ("torch", "Tensor")
        | ("torch.nn.parameter", "Parameter" | "Buffer")
        | ("torch.nn", "Parameter") => Some(Global::Inert("type")),
        ("torch", "device") => Some(Global::Inert("device")),
        ("torch.serialization", "_get_layout") => Some(Global::Inert("layout")),
        ("numpy", "dtype") => Some(Global::Inert("dtype")),
        ("numpy", "ndarray") => Some(Global::Inert("type")),
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct")
        | ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => {
            Some(Global::Inert("NumPy array"))
        }
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => {
            Some(Global::Inert("NumPy scalar"))
        }
        ("__builtin__" | "builtins", "complex") => Some(Global::Inert("complex")),
        ("__builtin__" | "builtins", "bytearray") => Some(Global::Inert("bytearray")),
        ("torch.storage", "UntypedStorage") => Some(Global::Storage(None)),
        ("torch" | "torch.cuda", _) => torch(name),
        _ if module == "__torch__" || module.starts_with("__torch__.") => Some(Global::Script),
        _ => None,
    }
}

/// The storage of a name like `FloatStorage`.
fn storage(name: &str) -> Option<Global> {
    Some(Global::Storage(match name.strip_suffix("Storage")? {
        "Bool" => Some(Dtype::BOOL),
        "Byte" => Some(Dtype::U8),
        "Char" => Some(Dtype::I8),
        "Short" => Some(Dtype::I16),
        "Int" => Some(Dtype::I32),
        "Long" => Some(Dtype::I64),
        "Half" => Some(Dtype::F16),
        "BFloat16" => Some(Dtype::BF16),
        "Float" => Some(Dtype::F32),
        "Double" => Some(Dtype::F64),
        "ComplexFloat" => Some(Dtype::C64),
        "Untyped" => None,
        _ => return None,
    }))
}

/// The element type of a name like `float32`.
fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "bool" => Dtype::BOOL,
        "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        "int8" => Dtype::I8,
        "int16" | "short" => Dtype::I16,
        "int32" | "int" => Dtype::I32,
        "int64" | "long" => Dtype::I64,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float32" | "float" => Dtype::F32,
        "float64" | "double" => Dtype::F64,
        "complex64" | "cfloat" => Dtype::C64,
        "float8_e5m2" => Dtype::F8_E5M2,
        "float8_e4m3fn" => Dtype::F8_E4M3,
        "float8_e5m2fnuz" => Dtype::F8_E5M2FNUZ,
        "float8_e4m3fnuz" => Dtype::F8_E4M3FNUZ,
        _ => return None,
    })
}
