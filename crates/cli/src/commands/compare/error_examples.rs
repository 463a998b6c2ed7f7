//! The worst errors of a model, to look at and to listen to.

use anyhow::Result;
use crosstune_core::predict::{self, score};
use crosstune_core::{Input, Item, Modality, Model, Preview, Samples};
use crosstune_report::{Answer, Media};

use crate::output::sheet;

/// A misclassified sample: its location, its class, the most probable answers, and itself.
pub(super) type Wrong = (String, usize, Vec<Answer>, Media);

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
        let item = &items[at];
        let media = media(modality, &item.input)?;
        Ok((item.place.to_string(), classes[at] as usize, answers, media))
    };
    wrong.into_iter().map(show).collect()
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
