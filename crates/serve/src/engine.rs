//! What makes answers of a batch: the place to know which models may share one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use crosstune_core::error::{one_line, out_of_memory};
use crosstune_core::predict::{Asked, Said};
use crosstune_core::{Error, Modality, Result};

use crate::job::Job;
use crate::refusal::Refusal;
use crate::served::Version;

/// Whether two inputs may be in one batch: those of one model, or of tunings of one base.
pub(crate) fn go_together<M: Modality>(a: &Job<M>, b: &Job<M>) -> bool {
    have_one_model(a, b)
        || (Arc::ptr_eq(&a.together, &b.together) && a.together.joins(&a.version, &b.version))
}

fn have_one_model<M>(a: &Job<M>, b: &Job<M>) -> bool {
    ptr::eq(&*a.version, &*b.version)
}

/// The answers to inputs that [go together](go_together). Where there is none to all of them, each is
/// asked about alone, so that what is wrong with one is nobody else's matter.
pub(crate) fn answer<M: Modality>(jobs: &[Job<M>]) -> Vec<Result<Said, Refusal>> {
    let Some(first) = jobs.first() else { return vec![] };
    let said = match jobs.iter().all(|job| have_one_model(first, job)) {
        true => {
            let asked: Vec<&Asked> = jobs.iter().map(|job| &job.asked).collect();
            together(&first.version, &asked)
        }
        false => {
            let together = &first.together;
            let questions =
                jobs.iter().filter_map(|job| together.question(&job.version, &job.asked));
            let questions: Vec<_> = questions.collect();
            contained(|| together.answer(&questions)).and_then(|said| said.map_err(|e| refusal(&e)))
        }
    };
    match said {
        Ok(said) if said.len() == jobs.len() => said.into_iter().map(Ok).collect(),
        Err(refusal) if jobs.len() == 1 => vec![Err(refusal)],
        _ => jobs.iter().map(|job| alone(&job.version, &job.asked)).collect(),
    }
}

fn alone<M: Modality>(version: &Version<M>, asked: &Asked) -> Result<Said, Refusal> {
    let said = together(version, &[asked])?.pop();
    said.ok_or_else(|| Refusal::fault("the model has not answered; please report this"))
}

fn together<M: Modality>(version: &Version<M>, asked: &[&Asked]) -> Result<Vec<Said>, Refusal> {
    let Version { model, modality, decoder, .. } = version;
    contained(|| model.answer(modality, asked, asked.len(), decoder))?.map_err(|e| refusal(&e))
}

/// What to say of an error.
pub(crate) fn refusal(error: &Error) -> Refusal {
    let said = one_line(error);
    match error {
        Error::NoAnswer { .. } | Error::BadSamples(_) => Refusal::input(said),
        _ if said.contains("out of memory") => Refusal::busy(said),
        _ => Refusal::fault(said),
    }
}

/// Does the work; a panic becomes a refusal.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        // tch unwraps what libtorch answers.
        let said = payload.downcast_ref::<String>().map(String::as_str);
        match said.and_then(out_of_memory) {
            Some(said) => Refusal::busy(said),
            None => {
                let said = said.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                let said = said.lines().next().unwrap_or_default();
                Refusal::fault(format!("this should not have happened, please report it: {said}"))
            }
        }
    })
}
