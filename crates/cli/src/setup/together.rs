//! The place of this process among those that train together.

use anyhow::Result;
use crosstune_core::distributed::{Environment, World, join};
use crosstune_core::error::one_line;
use crosstune_core::{Device, Error};

use crate::args::setting;
use crate::output;
use crate::process;

/// This process among those that train together, or alone.
#[derive(Debug)]
pub(crate) struct Together {
    world: Option<&'static World>,
    device: Device,
}

/// Joins the others, if the environment tells of any. From here on, all but the first say nothing but
/// errors.
///
/// # Errors
/// If there is no device for this process, if the others do not come, or if what is asked for is for one
/// process `alone`.
pub(crate) fn together(device: Device, alone: bool) -> Result<Together> {
    let Some(environment) = Environment::read()? else {
        return Ok(Together { world: None, device });
    };
    if alone && environment.size > 1 {
        let problem = "--plan and --find-lr are for one process; leave torchrun out";
        return Err(setting("WORLD_SIZE", problem));
    }
    output::speak_as(environment.rank);
    let device = device_for(&environment, device, tch::Cuda::device_count() as usize)?;
    let world = join(environment, device, |lost| {
        output::say_error(&lost.to_string());
        process::leave(1);
    })?;
    Ok(Together { world: Some(world), device })
}

impl Together {
    /// What this process computes on.
    pub(crate) fn device(&self) -> Device {
        self.device
    }

    /// How many there are.
    pub(crate) fn processes(&self) -> usize {
        self.world.map_or(1, World::size)
    }

    /// How many this machine has.
    pub(crate) fn on_this_machine(&self) -> usize {
        self.world.map_or(1, |world| world.environment().local_size.max(1))
    }

    /// Whether this one writes.
    pub(crate) fn writes(&self) -> bool {
        self.world.is_none_or(World::is_first)
    }

    /// Whether torchrun has started them again, to go on where they were.
    pub(crate) fn is_restarted(&self) -> bool {
        self.world.is_some_and(|world| world.environment().restarts > 0)
    }

    /// Waits for the others, who may then end.
    ///
    /// # Errors
    /// If one has gone already.
    pub(crate) fn leave(&self) -> Result<(), Error> {
        self.world.map_or(Ok(()), World::leave)
    }

    /// Tells the others why this one fails, if it is not because of another.
    pub(crate) fn fail(&self, why: &anyhow::Error) {
        if let (Some(world), false) =
            (self.world, matches!(why.downcast_ref(), Some(Error::PeerLost { .. })))
        {
            world.fail(&one_line(why.as_ref()));
        }
    }
}

/// Each process takes the GPU of its own number.
fn device_for(environment: &Environment, device: Device, gpus: usize) -> Result<Device> {
    let Environment { local_rank, local_size, .. } = *environment;
    match device {
        Device::Cuda(0) if local_rank < gpus => Ok(Device::Cuda(local_rank)),
        Device::Cuda(0) => {
            let problem = format!("{local_size} processes need a GPU each, but there are {gpus}");
            Err(setting("--device", problem))
        }
        Device::Cuda(_) if local_size > 1 => {
            Err(setting("--device", "several processes take a GPU each; write --device cuda"))
        }
        device => Ok(device),
    }
}

#[cfg(test)]
mod tests {
    use crosstune_core::distributed::Launcher;

    use super::*;

    #[test]
    fn each_process_has_its_gpu() {
        let here = Environment {
            rank: 5,
            size: 8,
            local_rank: 1,
            local_size: 4,
            address: "10.0.0.1".into(),
            port: 29500,
            agent_store: true,
            restarts: 0,
            launcher: Launcher::Torchrun,
        };
        assert_eq!(device_for(&here, Device::Cpu, 0).unwrap(), Device::Cpu);
        assert_eq!(device_for(&here, Device::Cuda(0), 4).unwrap(), Device::Cuda(1));
        assert!(device_for(&here, Device::Cuda(0), 1).is_err());
        assert!(device_for(&here, Device::Cuda(2), 4).is_err());
    }
}
