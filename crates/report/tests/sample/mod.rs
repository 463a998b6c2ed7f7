//! Comparisons as they might be measured, made up for the tests: four arms, three sizes, three
//! seeds, and errors of all three kinds.

pub(crate) mod sequences;

use crosstune_report::{
    Answer, Arm, ArmKind, Bin, Budget, Calibration, Comparison, Drawing, ErrorExample, Mark,
    Matrix, Media, Point, Reliability, Run, Source, Target, Trial,
};

/// The sizes of training set and their epochs.
const BUDGETS: [(usize, usize); 3] = [(100, 30), (300, 15), (2700, 6)];
const TEST_SAMPLES: usize = 300;

/// A source's name, modality and family.
pub(crate) const SOURCES: [[&str; 3]; 3] = [
    ["resnet56-cifar10", "image", "resnet"],
    ["honk-res8", "audio", "res8"],
    ["all-MiniLM-L6-v2", "text", "bert"],
];
/// A target's name, modality and samples.
pub(crate) const TARGETS: [[&str; 3]; 3] = [
    ["cifar10", "image", "pictures"],
    ["fsdd", "audio", "recordings"],
    ["sst2", "text", "sentences"],
];

/// All nine directions.
pub(crate) fn matrix() -> Matrix {
    let pairs = SOURCES.iter().flat_map(|s| TARGETS.iter().map(move |t| comparison(*s, *t)));
    Matrix::new(pairs.collect()).expect("the sample is valid")
}

/// One direction. Its arms differ by an amount that depends on it: gains, losses and neither.
pub(crate) fn comparison(source: [&str; 3], target: [&str; 3]) -> Comparison {
    let labels: Vec<String> = match target[1] {
        "image" => [
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ]
        .map(String::from)
        .to_vec(),
        "audio" => (0..10).map(|digit| digit.to_string()).collect(),
        _ => vec!["negative".into(), "positive".into()],
    };
    let mut chance = Chance::new(source[0].len() * 31 + target[0].len());
    let gain = match (source[1], target[1]) {
        (s, t) if s == t => 0.08,
        ("image", "audio") => 0.05,
        ("text", _) => -0.06,
        _ => 0.002,
    };
    let arms = ArmKind::ALL.map(|kind| arm(kind, gain, labels.len(), &mut chance)).to_vec();
    let error_examples =
        (0..6).map(|at| example(target[1], at, labels.len(), &mut chance)).collect();
    Comparison {
        source: Source {
            name: source[0].into(),
            modality: source[1].into(),
            family: source[2].into(),
        },
        target: Target {
            name: target[0].into(),
            modality: target[1].into(),
            samples: target[2].into(),
        },
        metric: crosstune_report::Metric::default(),
        labels,
        test_samples: TEST_SAMPLES,
        left_out: 0,
        recipe: "fine-tune".into(),
        freeze: "nothing".into(),
        budgets: BUDGETS.map(|(size, epochs)| Budget { size, epochs }).to_vec(),
        threshold: None,
        version: "0.1.0".into(),
        made: "2026-11-24".into(),
        machine: "2 cores of an x86_64".into(),
        arms,
        error_examples,
    }
}

fn arm(kind: ArmKind, gain: f64, classes: usize, chance: &mut Chance) -> Arm {
    let bonus = match kind {
        ArmKind::Transfer => gain,
        ArmKind::Scratch => 0.,
        ArmKind::RandomFrozen => -0.05,
        ArmKind::Shuffled => -0.035,
    };
    let mut arm = Arm { kind, trials: Vec::new(), runs: Vec::new() };
    for (size, epochs) in BUDGETS {
        for lr in [1e-3, 3e-3, 1e-2] {
            let held_out = 0.6 + 0.1 * chance.next();
            arm.trials.push(Trial {
                size,
                lr,
                pretrained_lr: lr / 10.,
                held_out,
                temperature: Some(1.4),
            });
        }
        // More samples, better; the arms come closer.
        let last = 0.98 - 3.5 / (size as f64).sqrt() + bonus * 6. / (size as f64).powf(0.4);
        for seed in 0..3 {
            arm.runs.push(run(
                size,
                epochs,
                seed,
                last + 0.02 * (chance.next() - 0.5),
                classes,
                chance,
            ));
        }
    }
    arm
}

fn run(
    size: usize,
    epochs: usize,
    seed: u64,
    last: f64,
    classes: usize,
    chance: &mut Chance,
) -> Run {
    let floor = 1. / classes as f64;
    let last = last.clamp(floor, 0.995);
    let (confusion, right) = confusion(classes, last, chance);
    let accuracy = right as f64 / TEST_SAMPLES as f64;
    let each = size as f64 * 0.004;
    let point = |epoch: usize| {
        let grown = 1. - (-4. * epoch as f64 / epochs as f64).exp();
        let grown = if epoch == epochs { 1. } else { grown };
        Point { epoch, seconds: each * epoch as f64, value: floor + (accuracy - floor) * grown }
    };
    Run {
        size,
        seed,
        lr: 3e-3,
        pretrained_lr: 3e-4,
        value: accuracy,
        second: accuracy * 0.99,
        loss: -(accuracy.ln()) * 1.3,
        confusion: Some(confusion.try_into().unwrap()),
        calibration: Some(calibration(accuracy)),
        counts: vec![],
        curve: (1..=epochs).map(point).collect(),
        seconds: each * epochs as f64,
        trained: 861_770,
        frozen: 0,
    }
}

/// Probabilities that are too sure, and the same at a temperature.
fn calibration(accuracy: f64) -> Calibration {
    let reliability = |ece: f64| {
        let bin = |at: usize| {
            let confidence = (at as f64 + 0.5) / 15.;
            let forecasts = if at < 5 { 0 } else { TEST_SAMPLES / 10 };
            Bin { forecasts, confidence, accuracy: (confidence - ece).max(0.) }
        };
        let bins = (0..15).map(bin).collect();
        Reliability { ece, brier: 1. - accuracy, nll: -accuracy.ln(), bins }
    };
    Calibration {
        uncalibrated: reliability(0.12),
        calibrated: Some(reliability(0.02)),
        temperature: Some(1.4),
    }
}

/// A confusion matrix of about this accuracy, and how many are right.
fn confusion(classes: usize, accuracy: f64, chance: &mut Chance) -> (Vec<Vec<u32>>, u32) {
    let each = (TEST_SAMPLES / classes) as u32;
    let mut confusion = vec![vec![0; classes]; classes];
    (0..classes).for_each(|class| confusion[class][class] = each);
    let wrong = ((1. - accuracy) * TEST_SAMPLES as f64).round() as u32;
    for _ in 0..wrong {
        let truth = (chance.next() * classes as f64) as usize;
        let step = 1 + (chance.next().powi(2) * (classes - 1) as f64) as usize;
        let truth = (0..classes).map(|at| (truth + at) % classes).find(|&at| confusion[at][at] > 0);
        let truth = truth.expect("fewer are wrong than there are");
        confusion[truth][truth] -= 1;
        confusion[truth][(truth + step) % classes] += 1;
    }
    (confusion, TEST_SAMPLES as u32 - wrong)
}

fn example(modality: &str, at: usize, classes: usize, chance: &mut Chance) -> ErrorExample {
    let truth = at % classes;
    let first = 0.99 - 0.04 * at as f32;
    let answers = vec![
        Answer { class: (truth + 1) % classes, probability: first },
        Answer { class: truth, probability: (1. - first) * 0.7 },
    ];
    let media = match modality {
        "image" => Media::Picture { png: picture(32, 32, chance).into() },
        "audio" => Media::Sound {
            wav: recording(220. * (at + 1) as f64).into(),
            spectrogram_png: picture(96, 40, chance).into(),
        },
        _ => Media::Text(format!(
            "Sentence {at}: it takes a strange kind of laziness to waste the talents of so many."
        )),
    };
    let place = format!("{modality}/test/{at:04}");
    ErrorExample {
        arm: ArmKind::Transfer,
        size: 2700,
        seed: 0,
        place,
        truth: Some(truth),
        answers,
        sentence: None,
        explanation: (at == 0).then(|| explanation(&media)),
        asked: None,
        media,
    }
}

/// What its answer is due to.
fn explanation(media: &Media) -> Drawing {
    let mark = |text: &str, value: f64| Mark { text: text.into(), value: Some(value) };
    match media {
        Media::Text(text) => {
            let words = text.split_inclusive(' ').enumerate();
            Drawing::Words(words.map(|(at, word)| mark(word, (at as f64).sin())).collect())
        }
        Media::Picture { png } | Media::Sound { spectrogram_png: png, .. } => {
            Drawing::Heat { png: png.clone(), spots: vec![mark("here", 1.25), mark("there", -0.5)] }
        }
    }
}

/// A PNG of soft colours.
pub(crate) fn picture(width: u32, height: u32, chance: &mut Chance) -> Vec<u8> {
    let (a, b, c) = (chance.next(), chance.next(), chance.next());
    let pixel = |at: u32| {
        let (x, y) = (f64::from(at % width) / 9., f64::from(at / width) / 7.);
        [(x * a + y).sin(), (x - y * b).cos(), (x * y * c).sin()].map(|v| ((v + 1.) * 127.) as u8)
    };
    let data: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&data).expect("the pixels");
    writer.finish().expect("the end");
    file
}

/// Half a second of a tone as a WAV file: 8 kHz, 16 bits, mono.
pub(crate) fn recording(hertz: f64) -> Vec<u8> {
    const RATE: u32 = 8000;
    let count = RATE / 2;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + count * 2).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend([1u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([RATE, RATE * 2].into_iter().flat_map(u32::to_le_bytes));
    file.extend([2u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend((count * 2).to_le_bytes());
    let sample = |at: u32| {
        let phase = f64::from(at) * hertz * std::f64::consts::TAU / f64::from(RATE);
        (phase.sin() * 8000.) as i16
    };
    file.extend((0..count).flat_map(|at| sample(at).to_le_bytes()));
    file
}

/// Numbers from 0 to 1, the same in every run of the tests.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: usize) -> Self {
        Self(seed as u64 + 1)
    }

    /// Knuth's linear congruential generator, its upper bits.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}
