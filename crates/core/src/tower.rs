//! A tower: embedder, trunk and pool, joined once their forms are known to fit; and a head on top.

use tch::Tensor;

use crate::{Batch, Embedder, Error, Features, Head, Pool, Result, Trunk};

/// From a batch to one vector per sample.
#[derive(Debug)]
pub struct Tower {
    embedder: Box<dyn Embedder>,
    trunk: Trunk,
    pool: Pool,
}

impl Tower {
    /// Joins the three.
    ///
    /// # Errors
    /// If the embedder emits another form than the trunk accepts, or the pool does not take what the
    /// trunk emits.
    pub fn join(embedder: Box<dyn Embedder>, trunk: Trunk, pool: Pool) -> Result<Self> {
        let (emits, accepts) = (embedder.emits(), trunk.accepts());
        if emits != accepts {
            return Err(Error::Form { emits, accepts });
        }
        if !pool.takes(accepts) {
            let problem = format!("{pool} does not pool {accepts}; choose mean");
            return Err(Error::Setting { setting: "--pool", problem });
        }
        Ok(Self { embedder, trunk, pool })
    }

    /// The length of a feature vector, `D`.
    pub fn width(&self) -> i64 {
        self.pool.width(self.trunk.width())
    }

    /// What the embedder makes of a batch.
    pub fn embed(&self, batch: &Batch, train: bool) -> Features {
        self.embedder.embed(batch, train)
    }

    /// Fits the embedder's fresh parameters to a batch; see [`Embedder::settle`].
    pub fn settle(&self, batch: &Batch) {
        self.embedder.settle(batch);
    }

    /// What the trunk makes of that.
    pub fn hidden(&self, batch: &Batch, train: bool) -> Features {
        self.trunk.forward(&self.embed(batch, train), train)
    }

    /// Feature vectors `[B, D]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.pool.forward(&self.hidden(batch, train))
    }
}

/// A tower with a head.
#[derive(Debug)]
pub struct Classifier {
    tower: Tower,
    head: Head,
}

impl Classifier {
    /// Puts a head on a tower of whose width it is.
    pub fn new(tower: Tower, head: Head) -> Self {
        Self { tower, head }
    }

    /// The tower below the head.
    pub fn tower(&self) -> &Tower {
        &self.tower
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> tch::Device {
        self.head.device()
    }

    /// Logits `[B, classes]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.forward(&self.tower.forward(batch, train))
    }
}
