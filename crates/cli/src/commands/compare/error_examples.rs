//! The worst errors of a model, to look at and to listen to.

use anyhow::Result;
use crosstune_core::error::one_line;
use crosstune_core::predict::{self, ExplainOptions, ExplainTarget, explain, score};
use crosstune_core::{Input, Item, Modality, Model, Preview, Samples};
use crosstune_report::{Answer, Drawing, Media, Sentence};

use super::sentences::Answered;
use crate::output::{drawing, say, sheet};

/// A sample that a model got wrong.
pub(super) struct Wrong {
    /// Its location.
    pub(super) place: String,
    /// Its class, if it has one.
    pub(super) truth: Option<usize>,
    /// The most probable classes.
    pub(super) answers: Vec<Answer>,
    /// What is right beside what was answered, where that is a sequence.
    pub(super) sentence: Option<Sentence>,
    /// Itself.
    pub(super) media: Media,
    /// What its first answer is due to, or what is asked of a sequence.
    pub(super) explanation: Option<Drawing>,
    /// What is asked of a sequence.
    pub(super) asked: Option<String>,
}

/// The number of answers shown for each.
const ANSWERS: usize = 3;

/// The errors that the model was most confident in, at most `most`.
pub(super) fn worst<M: Modality>(
    model: &Model,
    modality: &M,
    items: &[Item],
    samples: &Samples,
    most: usize,
) -> Result<Vec<Wrong>> {
    let classes = samples.classes();
    let mut wrong: Vec<(usize, Vec<Answer>)> = vec![];
    score(model, modality, samples, 32, |chosen, scores| {
        for (answer, &at) in
            predict::answers(model.spec().task_config(), scores)?.iter().zip(chosen)
        {
            let predict::Answer::Classes(ranked) = answer else { continue };
            if ranked.first().map(|(class, _)| *class as i64) != Some(classes[at]) {
                let answer = |&(class, p): &(usize, f64)| Answer { class, probability: p as f32 };
                wrong.push((at, ranked.iter().take(ANSWERS).map(answer).collect()));
            }
        }
        Ok(())
    })?;
    wrong.sort_by(|(_, a), (_, b)| b[0].probability.total_cmp(&a[0].probability));
    wrong.truncate(most);
    let show = |(at, answers): (usize, Vec<Answer>)| {
        let (item, truth) = (&items[at], Some(classes[at] as usize));
        let (place, media) = (item.place.to_string(), media(modality, &item.input)?);
        let question = ExplainTarget::Label(answers[0].class);
        let explanation = explained(model, modality, item, &question)?;
        Ok(Wrong { place, truth, answers, sentence: None, media, explanation, asked: None })
    };
    wrong.into_iter().map(show).collect()
}

/// The sentences with the most errors, at most `most`.
pub(super) fn worst_sentences<M: Modality>(
    model: &Model,
    modality: &M,
    items: &[Item],
    answered: Vec<Answered>,
    most: usize,
) -> Result<Vec<Wrong>> {
    let mut wrong: Vec<_> =
        items.iter().zip(answered).filter(|(_, answered)| answered.errors > 0).collect();
    wrong.sort_by_key(|(_, answered)| std::cmp::Reverse(answered.errors));
    wrong.truncate(most);
    let show = |(item, answered): (&Item, Answered)| {
        let (place, media) = (item.place.to_string(), media(modality, &item.input)?);
        let explanation = match &answered.question {
            Some(question) => explained(model, modality, item, question)?,
            None => None,
        };
        let asked = answered.question.filter(|_| explanation.is_some()).map(|question| {
            let words = match &answered.sentence {
                Sentence::Tagged { words, .. } => words.as_slice(),
                Sentence::Heard(_) => &[],
            };
            let why = drawing::why(&question, model.spec(), words, None);
            format!("{why}, in {}", drawing::unit(&question, model.spec()))
        });
        let (truth, answers, sentence) = (None, vec![], Some(answered.sentence));
        Ok(Wrong { place, truth, answers, sentence, media, explanation, asked })
    };
    wrong.into_iter().map(show).collect()
}

/// What an answer is due to; the error is shown without it where that cannot be told.
fn explained<M: Modality>(
    model: &Model,
    modality: &M,
    item: &Item,
    question: &ExplainTarget,
) -> Result<Option<Drawing>> {
    match explain(model, modality, &item.input, question, &ExplainOptions::default()) {
        Ok(of) => Ok(Some(drawing::drawing(&of, true)?)),
        Err(e) => {
            say("note", format!("{}: {}", item.place, one_line(&e)));
            Ok(None)
        }
    }
}

fn media<M: Modality>(modality: &M, input: &Input) -> Result<Media> {
    let wav = modality.preview_audio(input).map_err(anyhow::Error::from_boxed)?;
    Ok(match (modality.preview(input).map_err(anyhow::Error::from_boxed)?, wav) {
        (Preview::Text(text), _) => Media::Text(text),
        (Preview::Picture { width, height, rgb }, wav) => {
            let mut png = vec![];
            sheet::png(&mut png, width, height, &rgb)?;
            match wav {
                Some(wav) => Media::Sound { wav: wav.into(), spectrogram_png: png.into() },
                None => Media::Picture { png: png.into() },
            }
        }
    })
}
