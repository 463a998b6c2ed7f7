//! The command-line options of pictures.

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{
    augment::{Augment, Policy},
    geometry::CropMode,
    options::ImageOptions,
    picture::{Background, Channels},
    resample::Resample,
    settings::ImageSettings,
};

/// How pictures are prepared. Options left out follow the pretrained model or, for sources of
/// another modality, the training set.
#[derive(Debug, Clone, Default, Args)]
pub struct ImageArgs {
    /// Side of the square that pictures are scaled and cropped to [default: the model's; or the
    /// pictures' if all have the same of at most 64, else 224]
    #[arg(long, value_name = "PX")]
    pub size: Option<u32>,
    /// Width of lines of text (--task transcribe), which are scaled to the height --size [default: that
    /// of the widest; a height of 32]
    #[arg(long, value_name = "PX")]
    pub line_width: Option<u32>,
    /// Side of the patches, a divisor of --size [default: the model's; or about 2, 4 or 16, by
    /// size]
    #[arg(long, value_name = "PX")]
    pub patch: Option<u32>,
    /// Input channels: grey (1) or RGB (3) [default: the model's; or grey if all pictures are]
    #[arg(long, value_parser = PossibleValuesParser::new(["1", "3"]).map(channels))]
    pub channels: Option<Channels>,
    /// How a picture becomes a square: crop the longer side, or squash it [default: the model's; or
    /// crop]
    #[arg(
        long,
        alias = "fit",
        value_parser = PossibleValuesParser::new(["crop", "squash"]).map(crop_mode)
    )]
    pub crop_mode: Option<CropMode>,
    /// Resampling filter, antialiased [default: the model's; or bilinear]
    #[arg(long, value_parser = PossibleValuesParser::new(Resample::ALL.map(Resample::name)).try_map(resample))]
    pub resample: Option<Resample>,
    /// Colour behind transparent pixels: white, grey, black or #rrggbb
    #[arg(long, value_name = "COLOUR", default_value_t)]
    pub background: Background,
    /// Augmentation of training pictures
    #[arg(long, value_enum, default_value_t)]
    pub augment: Augmentation,
    /// Random resized crop: the smallest area of a crop, as a fraction of the picture; 1: no crops
    /// [default: 0.08 with --augment]
    #[arg(long, value_name = "FRACTION")]
    pub crop_scale: Option<f64>,
    /// Probability of a horizontal flip; 0 if left and right matter, as for digits [default: 0.5
    /// with --augment]
    #[arg(long, value_name = "P")]
    pub flip: Option<f64>,
    /// Colour jitter: the largest change of brightness, contrast and saturation, as a fraction;
    /// that of hue is a quarter of it
    #[arg(long, value_name = "FRACTION", default_value_t)]
    pub jitter: f64,
    /// Random erasing: the probability that a rectangle is blanked out
    #[arg(long, value_name = "P", default_value_t)]
    pub erase: f64,
}

/// The values of `--augment`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Augmentation {
    /// Only what other options ask for
    #[default]
    None,
    /// Random resized crops and horizontal flips
    Standard,
    /// These and TrivialAugment: one operation of any strength
    Trivial,
    /// These and RandAugment: two operations of medium strength
    Rand,
}

fn channels(count: String) -> Channels {
    if count == "1" { Channels::Grey } else { Channels::Rgb }
}

fn crop_mode(name: String) -> CropMode {
    if name == "squash" { CropMode::Squash } else { CropMode::Crop }
}

fn resample(name: String) -> Result<Resample, String> {
    Resample::of_name(&name).ok_or(name)
}

impl ModalityArgs for ImageArgs {
    type Modality = ImageSettings;
}

impl ImageArgs {
    fn augmentation(&self) -> Augment {
        let base = match self.augment {
            Augmentation::None => Augment::default(),
            Augmentation::Standard => Augment::standard(Policy::None),
            Augmentation::Trivial => Augment::standard(Policy::Trivial),
            Augmentation::Rand => Augment::standard(Policy::Rand),
        };
        Augment {
            crop: match self.crop_scale {
                Some(1.) => None,
                asked => asked.or(base.crop),
            },
            flip: self.flip.unwrap_or(base.flip),
            policy: base.policy,
            jitter: self.jitter,
            erase: self.erase,
        }
    }
}

/// Checks the options.
impl TryFrom<ImageArgs> for ImageSettings {
    type Error = Error;

    fn try_from(args: ImageArgs) -> Result<Self> {
        let augment = args.augmentation();
        let ImageArgs {
            size, line_width, patch, channels, crop_mode, resample, background, ..
        } = args;
        let asked = ImageOptions {
            size,
            line_width,
            patch,
            channels,
            crop_mode,
            resample,
            ..Default::default()
        };
        Self::new(asked)?.with_background(background).with_augment(augment)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ImageArgs,
    }

    fn settings(line: &str) -> Result<ImageSettings> {
        let words = ["train"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args.try_into()
    }

    #[test]
    fn augmentation_is_what_is_asked_for() {
        let none = Augment::default();
        let standard = Augment { crop: Some(0.08), flip: 0.5, ..none };
        for (line, expected) in [
            ("", none),
            ("--augment none", none),
            ("--augment standard", standard),
            (
                "--augment trivial --flip 0",
                Augment { policy: Policy::Trivial, flip: 0., ..standard },
            ),
            (
                "--augment rand --crop-scale 1 --erase 0.25",
                Augment { policy: Policy::Rand, crop: None, erase: 0.25, ..standard },
            ),
            ("--crop-scale 0.5 --jitter 0.4", Augment { crop: Some(0.5), jitter: 0.4, ..none }),
        ] {
            assert_eq!(*settings(line).unwrap().augmentation(), expected, "{line}");
        }
        for (line, message) in [
            ("--flip 1.5", "--flip: 1.5: must be at least 0 and at most 1"),
            ("--crop-scale 0", "--crop-scale: 0: must be above 0 and at most 1"),
            ("--jitter NaN", "--jitter: NaN: must be at least 0 and at most 1"),
            ("--erase -0.1", "--erase: -0.1: must be at least 0 and at most 1"),
        ] {
            let line = line.replace(' ', "=");
            assert_eq!(settings(&line).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn an_older_spelling_means_the_same_and_is_not_shown() {
        assert_eq!(settings("--fit squash").unwrap(), settings("--crop-mode squash").unwrap());
        let help = Line::command().render_long_help().to_string();
        assert!(help.contains("--crop-mode") && !help.contains("--fit"), "{help}");
    }

    #[test]
    fn how_pictures_are_scaled_is_what_is_asked_for() {
        let got = settings("--crop-mode squash --resample bicubic --background #102030").unwrap();
        let geometry = got.geometry();
        assert_eq!((geometry.crop_mode, geometry.resample), (CropMode::Squash, Resample::Bicubic));
        assert_eq!(got.background(), Background([16, 32, 48]));
    }
}
