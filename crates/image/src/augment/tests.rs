//! Augmentation against torchvision's, and the statistics of what is drawn.
//! `xtask/scripts/fixtures/image_augment.py` made the pictures.

use std::{iter, mem::discriminant, path::PathBuf};

use crosstune_core::{Checkpoint, Rng};
use rand_chacha::rand_core::SeedableRng;

use super::{
    augment::Augment, colour, crop::Crop, erase, operation::Operation, planes::Planes,
    policy::Policy,
};
use crate::{geometry::Geometry, picture::Channels};

const FILL: [u8; 3] = [10, 20, 30];

fn fixture() -> Checkpoint {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/augment.safetensors"].iter().collect();
    Checkpoint::open(path).unwrap()
}

fn difference(a: &Planes, b: &Planes) -> u8 {
    assert_eq!(a.size(), b.size());
    let pairs = iter::zip(a.planes.iter().flatten(), b.planes.iter().flatten());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn operations_do_what_torchvision_does() {
    let fixture = fixture();
    let mut seen = 0;
    for (name, _) in fixture.entries() {
        let [picture, operation, strength] = name.splitn(3, '.').collect::<Vec<_>>()[..] else {
            continue;
        };
        let Ok(s) = strength.parse::<f64>() else { continue };
        // Colours are rounded on the way from hues and back.
        let (operation, within) = match operation {
            "shear-x" => (Operation::ShearX(s), 0),
            "shear-y" => (Operation::ShearY(s), 0),
            "translate-x" => (Operation::TranslateX(s), 0),
            "translate-y" => (Operation::TranslateY(s), 0),
            "rotate" => (Operation::Rotate(s), 0),
            "brightness" => (Operation::Brightness(s), 0),
            "saturation" => (Operation::Saturation(s), 0),
            "contrast" => (Operation::Contrast(s), 0),
            "sharpness" => (Operation::Sharpness(s), 0),
            "posterize" => (Operation::Posterize(s as u32), 0),
            "solarize" => (Operation::Solarize(s), 0),
            "auto-contrast" => (Operation::AutoContrast, 0),
            "equalize" => (Operation::Equalize, 0),
            "hue" => (Operation::Hue(s), 1),
            other => panic!("{other}"),
        };
        let before = Planes::of(&fixture.tensor(&format!("{picture}.in")).unwrap());
        let after = Planes::of(&fixture.tensor(name).unwrap());
        let mut got = before.clone();
        operation.apply(&mut got, &FILL);
        let most = difference(&got, &after);
        assert!(most <= within, "{name}: {most}");
        seen += 1;
    }
    assert_eq!(seen, 2 * 33 + 4);
}

#[test]
fn crops_are_scaled_as_by_torchvision() {
    let fixture = fixture();
    let picture = fixture.tensor("rgb.in").unwrap();
    let geometry = Geometry::new(16, 16, None, Channels::Rgb);
    let mut seen = 0;
    for (name, _) in fixture.entries() {
        let Some(numbers) = name.strip_prefix("crop.") else { continue };
        let numbers: Vec<u32> = numbers.split('.').map(|n| n.parse().unwrap()).collect();
        let [left, top, width, height] = numbers[..] else { panic!("{name}") };
        let got = Crop { left, top, width, height }.of(&picture, &geometry);
        let most = difference(&got, &Planes::of(&fixture.tensor(name).unwrap()));
        assert!(most <= 1, "{name}: {most}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// The mean of many draws.
fn mean(draw: impl FnMut() -> f64) -> f64 {
    let draws = 4_000;
    iter::repeat_with(draw).take(draws).sum::<f64>() / draws as f64
}

#[test]
fn crops_have_the_shares_and_ratios_that_are_asked_for() {
    let mut rng = Rng::seed_from_u64(1);
    let (width, height) = (400, 300);
    let mut draw = |least| {
        let crop = Crop::draw(width, height, least, &mut rng);
        assert!(crop.left + crop.width <= width && crop.top + crop.height <= height, "{crop:?}");
        let share = f64::from(crop.width * crop.height) / f64::from(width * height);
        let ratio = f64::from(crop.width) / f64::from(crop.height);
        assert!((0.74..1.35).contains(&ratio), "{crop:?}");
        assert!(share > least - 0.01, "{crop:?}");
        (share, ratio.ln(), f64::from(crop.left) / f64::from((width - crop.width).max(1)))
    };
    // Large shares whose ratio does not fit are drawn again, which makes them rarer: torchvision's are
    // 0.435 on average, and half of those above a quarter are below a half.
    let share = mean(|| draw(0.08).0);
    assert!((0.42..0.45).contains(&share), "{share}");
    let small = mean(|| {
        let crop = draw(0.25);
        if crop.0 < 0.5 { 1. } else { 0. }
    });
    assert!((0.47..0.53).contains(&small), "{small}");
    // Wide crops fit this picture better than high ones.
    let ratio = mean(|| draw(0.08).1);
    assert!((0.02..0.05).contains(&ratio), "{ratio}");
    let left = mean(|| draw(0.08).2);
    assert!((0.47..0.53).contains(&left), "{left}");
}

#[test]
fn strips_are_cropped_in_the_middle() {
    let mut rng = Rng::seed_from_u64(2);
    let crop = |left, top, width, height| Crop { left, top, width, height };
    for (width, height, expected) in
        [(1, 1_000, crop(0, 499, 1, 1)), (900, 3, crop(448, 0, 4, 3)), (1, 1, crop(0, 0, 1, 1))]
    {
        assert_eq!(Crop::draw(width, height, 1., &mut rng), expected);
    }
}

#[test]
fn policies_draw_all_operations_alike() {
    let mut rng = Rng::seed_from_u64(3);
    for (policy, each) in [(Policy::Trivial, 1.), (Policy::Rand, 2.)] {
        let mut kinds = vec![];
        let mut counts: Vec<f64> = vec![];
        let (mut all, rounds) = (0., 7_000);
        for _ in 0..rounds {
            for operation in policy.draw((331, 331), &mut rng) {
                all += 1.;
                match kinds.iter().position(|kind| *kind == discriminant(&operation)) {
                    Some(at) => counts[at] += 1.,
                    None => {
                        kinds.push(discriminant(&operation));
                        counts.push(1.);
                    }
                }
                match (policy, operation) {
                    (Policy::Trivial, Operation::Rotate(by)) => assert!(by.abs() <= 135.),
                    (Policy::Trivial, Operation::TranslateX(by)) => {
                        assert!(by.abs() <= 32. && by.fract() == 0.);
                    }
                    (Policy::Trivial, Operation::Posterize(bits)) => {
                        assert!((2..=8).contains(&bits));
                    }
                    // Step 9 of 30, of what is most.
                    (_, Operation::Rotate(by)) => assert_eq!(by.abs(), 9.),
                    (_, Operation::TranslateX(by)) => assert_eq!(by.abs(), 45.),
                    (_, Operation::Posterize(bits)) => assert_eq!(bits, 7),
                    (_, Operation::Solarize(from)) if policy == Policy::Rand => {
                        assert_eq!(from, 178.5);
                    }
                    _ => {}
                }
            }
        }
        // One of fourteen does nothing.
        let expected = f64::from(rounds) * each / 14.;
        assert_eq!(kinds.len(), 13);
        assert!((all / (13. * expected) - 1.).abs() < 0.03, "{all}");
        assert!(counts.iter().all(|count| (count / expected - 1.).abs() < 0.2), "{counts:?}");
    }
    assert!(Policy::None.draw((9, 9), &mut rng).is_empty());
}

#[test]
fn jitter_stays_within_its_strength_and_has_no_order() {
    let mut rng = Rng::seed_from_u64(4);
    let mut first = 0;
    let brightness = mean(|| {
        let all = colour::jitter(0.4, &mut rng);
        first += usize::from(matches!(all[0], Operation::Brightness(_)));
        let mut brightness = 0.;
        for operation in all {
            match operation {
                Operation::Brightness(by) => brightness = by,
                Operation::Hue(by) => assert!(by.abs() <= 0.1),
                Operation::Contrast(by) | Operation::Saturation(by) => {
                    assert!((0.6..=1.4).contains(&by));
                }
                other => panic!("{other:?}"),
            }
        }
        brightness
    });
    assert!((0.98..1.02).contains(&brightness), "{brightness}");
    assert!((900..1_100).contains(&first), "{first}");
}

#[test]
fn erasing_blanks_a_rectangle_of_a_share_of_the_picture() {
    let mut rng = Rng::seed_from_u64(5);
    let share = mean(|| {
        let mut planes = Planes { width: 50, height: 40, planes: vec![vec![200; 2_000]; 3] };
        erase::erase(&mut planes, &FILL, &mut rng);
        let blank = planes.planes[0].iter().filter(|&&sample| sample == FILL[0]).count();
        assert!(iter::zip(&planes.planes, FILL).all(|(plane, fill)| {
            plane.iter().filter(|&&sample| sample == fill).count() == blank
        }));
        blank as f64 / 2_000.
    });
    // Evenly from 0.02 to 0.33.
    assert!((0.16..0.19).contains(&share), "{share}");
}

#[test]
fn what_is_varied_is_a_sample_and_hangs_on_the_seed_alone() {
    let picture = fixture().tensor("rgb.in").unwrap();
    let geometry = Geometry::new(16, 16, None, Channels::Rgb);
    let all = Augment { jitter: 0.4, erase: 0.5, ..Augment::standard(Policy::Trivial) };
    let vary = |augment: &Augment, seed| {
        augment.augment(&picture, &geometry, &FILL, &mut Rng::seed_from_u64(seed))
    };
    let first = vary(&all, 1);
    assert_eq!((first.size(), first.kind()), (vec![3, 16, 16], tch::Kind::Uint8));
    assert_eq!(first, vary(&all, 1));
    assert!((2..9).all(|seed| vary(&all, seed) != first));
    assert_eq!(vary(&Augment::default(), 1), picture);
    let flipped = vary(&Augment { flip: 1., ..Augment::default() }, 1);
    assert_eq!(flipped, picture.flip([2]));
    let never = Augment { policy: Policy::None, flip: 0., crop: Some(1.), ..Augment::default() };
    assert_eq!(vary(&never, 1).size(), [3, 16, 16]);
}
