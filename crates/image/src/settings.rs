//! The settings of pictures: what a picture file becomes before a model sees it.

use std::path::Path;

use crosstune_core::{
    Batch, Cause, Embedder, Error, Form, Input, Modality, Origin, Pretrained, PretrainedEmbedder,
    Result, Scope, checkpoint::PREPROCESSOR, run::write_json,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use crate::{
    Channels, Geometry, ImageOptions, Picture, PictureError, Scale,
    decode::Header,
    embedder::Meeting,
    geometry::{Seen, Taken},
    published::Published,
};

/// How pictures become tensors: decoded, brought to one size, and to a common scale. A model that was
/// trained on pictures brings all of that along; for others the training set settles it.
///
/// A sample is `[C, size, size]`, u8; a batch `[B, C, size, size]`, f32, in which the pictures that
/// the scale was measured on have a mean of 0 and a deviation of 1 in each channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct ImageSettings {
    asked: ImageOptions,
    meeting: Meeting,
    geometry: Geometry,
    scale: Scale,
}

/// At most so many pictures are looked at before reading; they lie evenly in the training set.
const SURVEYED: usize = 256;

impl ImageSettings {
    /// Settings in which what `asked` leaves open is settled by the source and the training set.
    ///
    /// # Errors
    /// As [`ImageOptions::validate`].
    pub fn new(asked: ImageOptions) -> Result<Self> {
        asked.validate()?;
        Ok(Self::fresh(asked, Taken::InPatches))
    }

    /// For a trunk that is new to pictures.
    fn fresh(asked: ImageOptions, taken: Taken) -> Self {
        let meeting = match taken {
            Taken::InPatches => Meeting::Patches,
            Taken::Whole => Meeting::Stem,
        };
        let geometry = asked.settle(Seen::default(), taken);
        Self { asked, meeting, geometry, scale: Scale::halves(geometry.channels.count()) }
    }

    /// How a model's input is laid out.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The scale that the adopted model was trained with, or that of the training set; a mean and a
    /// deviation of a half before that is measured.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }
}

/// Everything left open.
impl Default for ImageSettings {
    fn default() -> Self {
        Self::fresh(ImageOptions::default(), Taken::InPatches)
    }
}

impl Modality for ImageSettings {
    const NAME: &'static str = "image";
    const SAMPLES: &'static str = "pictures";
    const EXTENSIONS: &'static [&'static str] = &["jpg", "jpeg", "png"];

    fn adopt(&mut self, source: &Pretrained) -> Result<Origin> {
        let (asked, meeting) = (self.asked, Meeting::of(source)?);
        if !meeting.is_pretrained() {
            asked.validate_for(meeting.taken())?;
            *self = Self::fresh(asked, meeting.taken());
            return Ok(Origin::Fresh);
        }
        let published = Published::of(source)?;
        let geometry = asked.settle_as(published.geometry)?;
        let scale = published.scale.of_channels(geometry.channels.count());
        *self = Self { asked, meeting, geometry, scale };
        Ok(Origin::Pretrained)
    }

    fn survey(&mut self, train: &[&Input]) {
        if self.meeting.is_pretrained() {
            return;
        }
        let step = train.len().div_ceil(SURVEYED).max(1);
        let headers = train.iter().step_by(step).filter_map(|input| match input {
            Input::File(path) => Header::open(path).ok(),
            Input::Bytes { .. } | Input::Text(_) | Input::Pair(_) => None,
        });
        self.geometry = self.asked.settle(seen(headers), self.meeting.taken());
        self.scale = Scale::halves(self.geometry.channels.count());
    }

    fn read(&self, input: &Input) -> Result<Tensor, Cause> {
        let Geometry { size, resize, channels, .. } = self.geometry;
        let picture = match input {
            Input::File(path) => Picture::open(path, channels)?,
            Input::Bytes { bytes, .. } => Picture::decode(bytes, channels)?,
            Input::Text(_) | Input::Pair(_) => return Err(PictureError::Text.into()),
        };
        let picture = picture.fit(resize, size)?;
        // Planes here, once per picture, rather than by a permutation at every step.
        let shape = [channels.count() as i64, size.into(), size.into()];
        Ok(Tensor::f_from_data_size(&picture.into_planes(), &shape, Kind::Uint8)?)
    }

    fn standardise(&mut self, train: &[Tensor]) {
        if !train.is_empty() && !self.meeting.is_pretrained() {
            self.scale = Scale::measure(self.geometry.channels, train);
        }
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        Batch { x: self.scale.apply(&Tensor::stack(samples, 0)), keep: None }
    }

    fn example(&self) -> Batch {
        let Geometry { size, channels, .. } = self.geometry;
        let shape = [1, channels.count() as i64, size.into(), size.into()];
        Batch { x: Tensor::zeros(shape, (Kind::Float, Device::Cpu)), keep: None }
    }

    fn embedder(&self, at: Scope<'_>, form: Form) -> Result<Box<dyn Embedder>> {
        self.meeting.embedder(at, &self.geometry, form)
    }

    fn pretrained_embedder(&self) -> Option<PretrainedEmbedder> {
        self.meeting.saved(&self.geometry)
    }

    fn publish(&self, folder: &Path) -> Result<Map<String, Value>> {
        let Geometry { size, resize, .. } = self.geometry;
        let processor = json!({
            // The class that scales the shorter side and crops, as we do. Only a margin of half a
            // pixel comes out otherwise: transformers rounds it down, torchvision to even.
            "image_processor_type": "BitImageProcessor",
            "do_resize": true, "size": {"shortest_edge": resize}, "resample": BILINEAR,
            "do_center_crop": true, "crop_size": {"height": size, "width": size},
            "do_rescale": true, "rescale_factor": 1. / 255.,
            "do_normalize": true, "image_mean": self.scale.mean, "image_std": self.scale.deviation,
            "do_convert_rgb": self.geometry.channels == Channels::Rgb,
        });
        write_json(&folder.join(PREPROCESSOR), &processor)?;
        Ok(Map::new())
    }
}

/// PIL's number for it.
const BILINEAR: u8 = 2;

/// What some pictures have in common. Stops at the one that leaves nothing in common.
fn seen(mut headers: impl Iterator<Item = Header>) -> Seen {
    let size = |h: &Header| (h.width, h.height);
    let grey = |h: &Header| h.channels == Channels::Grey;
    let Some(first) = headers.next() else { return Seen::default() };
    let mut seen = Seen { size: Some(size(&first)), grey: grey(&first) };
    for header in headers {
        seen.size = seen.size.filter(|&common| common == size(&header));
        seen.grey &= grey(&header);
        if seen == Seen::default() {
            break;
        }
    }
    seen
}

/// [`ImageSettings`] in a file: settled, all on one level.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    geometry: Geometry,
    #[serde(flatten)]
    scale: Scale,
    /// The embedder that came with the trunk; `None`: it is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embedder: Option<PretrainedEmbedder>,
}

impl From<ImageSettings> for Saved {
    fn from(settings: ImageSettings) -> Self {
        let ImageSettings { meeting, geometry, scale, .. } = settings;
        Self { geometry, scale, embedder: meeting.saved(&geometry) }
    }
}

impl TryFrom<Saved> for ImageSettings {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Saved { geometry, scale, embedder } = saved;
        if let Some((setting, problem)) = scale.problem(geometry.channels.count()) {
            return Err(Error::Setting { setting, problem });
        }
        let asked = ImageOptions::from(geometry);
        asked.validate()?;
        let meeting = Meeting::opened(embedder, &geometry)?;
        Ok(Self { asked, meeting, geometry, scale })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, iter, path::Path};

    use image::{ColorType, ImageFormat};

    use super::*;

    /// Writes a picture of one intensity.
    fn write(folder: &Path, name: &str, (width, height): (u32, u32), color: ColorType) -> Input {
        let path = folder.join(name);
        let bytes = vec![90; (width * height) as usize * usize::from(color.bytes_per_pixel())];
        image::save_buffer_with_format(&path, &bytes, width, height, color, ImageFormat::Png)
            .unwrap();
        Input::File(path)
    }

    #[test]
    fn a_survey_settles_size_patch_and_channels() {
        use ColorType::{L8, La8, Rgb8};
        let folder = tempfile::tempdir().unwrap();
        for (pictures, expected) in [
            (&[][..], (224, 16, Channels::Rgb)),
            (&[((8, 8), L8), ((8, 8), La8)], (8, 2, Channels::Grey)),
            (&[((28, 28), L8), ((28, 28), Rgb8)], (28, 4, Channels::Rgb)),
            (&[((28, 28), L8), ((28, 30), L8)], (224, 16, Channels::Grey)),
            (&[((100, 100), Rgb8), ((100, 100), Rgb8)], (224, 16, Channels::Rgb)),
            (&[((50, 33), Rgb8)], (36, 4, Channels::Rgb)),
        ] {
            let mut inputs: Vec<_> = pictures
                .iter()
                .enumerate()
                .map(|(i, &(size, color))| write(folder.path(), &format!("{i}.png"), size, color))
                .collect();
            // What cannot be read is passed over.
            let broken = folder.path().join("broken.png");
            fs::write(&broken, "no picture").unwrap();
            inputs.extend([Input::File(broken), Input::Text("no file".into())]);
            let mut settings = ImageSettings::default();
            settings.survey(&inputs.iter().collect::<Vec<_>>());
            let Geometry { size, patch, channels, .. } = *settings.geometry();
            assert_eq!((size, patch.unwrap(), channels), expected, "{pictures:?}");
        }
    }

    #[test]
    fn a_sample_has_planes_of_the_size_and_says_what_it_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let input = write(folder.path(), "a.png", (9, 5), ColorType::Rgba8);
        let asked = ImageOptions { size: Some(6), patch: Some(3), ..Default::default() };
        let sample = ImageSettings::new(asked).unwrap().read(&input).unwrap();
        assert_eq!((sample.size(), sample.kind()), (vec![3, 6, 6], Kind::Uint8));
        let text = ImageSettings::default().read(&Input::Text("a".into())).unwrap_err();
        assert_eq!(text.to_string(), "a picture must be a file, but this is a text");
    }

    #[test]
    fn a_batch_has_the_scale_of_the_training_set() {
        let sample = |values: &[u8]| Tensor::from_slice(values).view([3, 1, 2]);
        // Red is 0, 0, 255, 255: mean and deviation a half. Green is always 51, a fifth: nothing
        // to scale. Blue is 0, 51, 102, 255 or 0, 1/5, 2/5, 1: mean 2/5, variance 0.56/4.
        let train = [sample(&[0, 0, 51, 51, 0, 51]), sample(&[255, 255, 51, 51, 102, 255])];
        let mut settings = ImageSettings::default();
        settings.standardise(&train);
        let expected_mean = [0.5, 0.2, 0.4];
        let expected_deviation = [0.5, 1. / 255., 0.14f32.sqrt()];
        let close = |a: &[f32], b: &[f32]| iter::zip(a, b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(&settings.scale().mean, &expected_mean), "{:?}", settings.scale());
        assert!(close(&settings.scale().deviation, &expected_deviation), "{:?}", settings.scale());

        let batch = settings.batch(&[&train[1], &sample(&[51, 0, 52, 51, 102, 0])]);
        assert_eq!((batch.x.size(), batch.x.kind()), (vec![2, 3, 1, 2], Kind::Float));
        assert!(batch.keep.is_none());
        let values = Vec::<f32>::try_from(batch.x.flatten(0, -1)).unwrap();
        let blue = |v: f32| (v - 0.4) / 0.14f32.sqrt();
        let first = [1., 1., 0., 0., blue(0.4), blue(1.)];
        let second = [-0.6, -1., 1., 0., blue(0.4), blue(0.)];
        let expected = [first, second].concat();
        assert!(iter::zip(&values, &expected).all(|(a, b)| (a - b).abs() < 1e-5), "{values:?}");
    }

    #[test]
    fn saved_settings_are_settled_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let input = write(folder.path(), "a.png", (12, 12), ColorType::L8);
        let mut settings = ImageSettings::default();
        settings.survey(&[&input]);
        settings.standardise(&[settings.read(&input).unwrap()]);
        settings.save(folder.path()).unwrap();
        let mut opened = ImageSettings::open(folder.path()).unwrap();
        assert_eq!((opened.geometry(), opened.scale()), (settings.geometry(), settings.scale()));
        opened.survey(&[]);
        assert_eq!(opened.geometry(), settings.geometry());

        let file = folder.path().join(crosstune_core::modality::PREPROCESSING);
        let saved = fs::read_to_string(&file).unwrap();
        for (from, to, problem) in [
            ("\"patch\": 2", "\"patch\": 5", "5 does not divide the size of 12 pixels; 4 or 6"),
            ("grey", "rgb", "1 means and 1 deviations for 3 channels"),
            ("\"deviation\": [", "\"deviation\": [0, ", "1 means and 2 deviations for 1 channel"),
            ("0.003921569", "0", "0 is not a positive number"),
        ] {
            let broken = saved.replace(from, to);
            assert_ne!(broken, saved, "{from}");
            fs::write(&file, broken).unwrap();
            let error = ImageSettings::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
