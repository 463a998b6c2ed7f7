//! Options of the command line for pictures.

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

/// How pictures are prepared. What is left out is as the pretrained model has it, if that was trained
/// on pictures; else the training set settles it.
#[derive(Debug, Clone, Default, Args)]
pub struct ImageArgs {
    /// Scale and crop pictures to a square of this side [default: the model's; or theirs if all
    /// have one of at most 64, else 224]
    #[arg(long, value_name = "PX")]
    pub size: Option<u32>,
    /// Cut pictures into square patches of this side, which divides the size [default: the model's;
    /// or about 2, 4 or 16, by size]
    #[arg(long, value_name = "PX")]
    pub patch: Option<u32>,
    /// See pictures in grey (1) or in colour (3) [default: as the model does; or grey if
    /// all are stored so]
    #[arg(long, value_parser = PossibleValuesParser::new(["1", "3"]).map(channels))]
    pub channels: Option<Channels>,
    /// Crop the longer side of a picture that is no square, or squash it [default: the model's; or
    /// crop]
    #[arg(long, value_parser = PossibleValuesParser::new(["crop", "squash"]).map(fit))]
    pub crop_mode: Option<CropMode>,
    /// Scale pictures with this filter, antialiased [default: the model's; or bilinear]
    #[arg(long, value_parser = PossibleValuesParser::new(Resample::ALL.map(Resample::name)).try_map(resample))]
    pub resample: Option<Resample>,
    /// Put this colour behind transparent pixels: white, grey, black or #rrggbb
    #[arg(long, value_name = "COLOUR", default_value_t)]
    pub background: Background,
    /// Vary training pictures at random: by crops and flips (standard), and by one operation of
    /// any strength (trivial: TrivialAugment) or two of medium strength (rand: RandAugment)
    #[arg(long, value_enum, default_value_t)]
    pub augment: Augmentation,
    /// Crop training pictures at random to a part of at least this share of their area; 1 for no
    /// such crops [default: 0.08 with --augment]
    #[arg(long, value_name = "SHARE")]
    pub crop_scale: Option<f64>,
    /// Mirror training pictures with this probability; 0 where left and right matter, as for digits
    /// [default: 0.5 with --augment]
    #[arg(long, value_name = "P")]
    pub flip: Option<f64>,
    /// Change brightness, contrast and saturation of training pictures by up to this share, and
    /// hue by up to a quarter of it
    #[arg(long, value_name = "SHARE", default_value_t)]
    pub jitter: f64,
    /// Blank out a rectangle of a training picture with this probability
    #[arg(long, value_name = "P", default_value_t)]
    pub erase: f64,
}

/// What `--augment` may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Augmentation {
    /// Only what other options ask for.
    #[default]
    None,
    /// Random crops and flips.
    Standard,
    /// TrivialAugment as well.
    Trivial,
    /// RandAugment as well.
    Rand,
}

fn channels(count: String) -> Channels {
    if count == "1" { Channels::Grey } else { Channels::Rgb }
}

fn fit(name: String) -> CropMode {
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
        let ImageArgs { size, patch, channels, crop_mode, resample, background, .. } = args;
        let asked =
            ImageOptions { size, patch, channels, crop_mode, resample, ..Default::default() };
        Self::new(asked)?.with_background(background).with_augment(augment)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

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
            ("--flip 1.5", "--flip: 1.5; choose a probability, 0 to 1"),
            ("--crop-scale 0", "--crop-scale: 0; choose a share above 0, at most 1"),
            ("--jitter NaN", "--jitter: NaN; choose a share, 0 to 1"),
            ("--erase -0.1", "--erase: -0.1; choose a probability, 0 to 1"),
        ] {
            let line = line.replace(' ', "=");
            assert_eq!(settings(&line).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn how_pictures_are_scaled_is_what_is_asked_for() {
        let got = settings("--fit squash --resample bicubic --background #102030").unwrap();
        let geometry = got.geometry();
        assert_eq!((geometry.crop_mode, geometry.resample), (CropMode::Squash, Resample::Bicubic));
        assert_eq!(got.background(), Background([16, 32, 48]));
    }
}
