//! The memory that is left, so that what cannot be had is refused before it is asked for.

use std::cell::{Cell, OnceCell};
use std::fs;

use crate::error::{Error, Result};
use crate::files::bytes;

/// What a parameter takes beside its values, in bytes: its name, and what libtorch keeps of a tensor.
const PER_TENSOR: u128 = 1 << 10;

/// What is left of the memory while a model is built.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// The bytes at the start; `None`: the system does not tell.
    left: OnceCell<Option<u64>>,
    /// The bytes that were taken since.
    taken: Cell<u128>,
}

impl Room {
    /// Whether so many tensors with so many f32 values in all can still be had.
    ///
    /// # Errors
    /// If not.
    pub(super) fn check(&self, what: &str, tensors: u128, values: u128) -> Result<()> {
        let needed = values.saturating_mul(4).saturating_add(tensors.saturating_mul(PER_TENSOR));
        let Some(left) = *self.left.get_or_init(left) else { return Ok(()) };
        let left = u128::from(left).saturating_sub(self.taken.get());
        if needed <= left {
            return Ok(());
        }
        let [needed, left] = [needed, left].map(|n| bytes(n.try_into().unwrap_or(u64::MAX)));
        Err(Error::Memory { what: what.into(), needed, left })
    }

    /// Takes a tensor of a shape.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(super) fn take(&self, name: &str, shape: &[i64]) -> Result<()> {
        let sizes = shape.iter().map(|&n| u128::try_from(n).unwrap_or(0));
        let values = sizes.fold(1, u128::saturating_mul);
        self.check(&format!("`{name}` of shape {shape:?}"), 1, values)?;
        self.taken.set(self.taken.get().saturating_add(values.saturating_mul(4) + PER_TENSOR));
        Ok(())
    }
}

/// The bytes that this process can still have: of the machine's memory, of its container's, and of
/// what `ulimit -v` leaves.
fn left() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    };
    let machine = of("MemAvailable:")?.saturating_add(of("SwapFree:").unwrap_or(0));
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|most| most.trim().parse().ok()).unwrap_or(u64::MAX);
    Some(machine.min(container).min(address_space().unwrap_or(u64::MAX)))
}

#[cfg(target_os = "linux")]
fn address_space() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is ours to write to.
    let told = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
    if !told || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().next()?.parse().ok()?;
    // SAFETY: a question about a constant of the system.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    Some(limit.rlim_cur.saturating_sub(pages.saturating_mul(page)))
}

#[cfg(not(target_os = "linux"))]
fn address_space() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_refused() {
        let room = Room { left: OnceCell::from(Some(10 << 10)), taken: Cell::new(0) };
        assert!(room.take("a", &[1024]).is_ok());
        assert!(room.check("b", 1, 1024).is_ok());
        let error = room.take("b", &[2048]).unwrap_err().to_string();
        let said = "`b` of shape [2048] needs 9.0 KiB of memory, but 5.0 KiB are left: ";
        assert!(error.starts_with(said), "{error}");
        for shape in [&[i64::MAX; 4][..], &[1 << 40, 1 << 40]] {
            assert!(room.take("c", shape).is_err());
        }
        assert!(room.check("blocks", 1 << 100, 0).is_err());
        assert!(room.take("d", &[]).is_ok() && room.take("e", &[-1]).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells() {
        assert!(left().is_some_and(|left| left > 1 << 20));
    }
}
