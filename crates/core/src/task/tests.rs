//! Losses and scales against PyTorch's and scikit-learn's.

use tch::{Kind, Tensor};

use super::*;
use crate::{HeadConfig, Mix, Origin, Pool, TransformerConfig, TrunkConfig};
