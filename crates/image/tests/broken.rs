//! Files that are no pictures, or no longer: each is one clear line; none takes more memory than its
//! picture would, none panics, and none is read for less than it holds.

mod support;

use std::{fs, path::Path, process::Command};

use support::{fixture, formats};

use crosstune_core::{Input, Modality, error::one_line};
use crosstune_image::{Background, Channels, ImageSettings, Picture, PictureError};

/// What the tests of this file may take at their peak, in bytes: mostly the pictures of lying headers
/// that are just small enough to be believed.
const BOUND: u64 = 1 << 30;

fn decode(file: &[u8]) -> Result<Picture, PictureError> {
    Picture::decode(file, Channels::Rgb, Background::default())
}

/// The line that a person would see.
fn line(error: &(dyn std::error::Error + 'static)) -> String {
    let line = one_line(error);
    assert!(!line.contains('\n') && (5..400).contains(&line.len()), "{line}");
    line
}

/// Checks that no more memory was ever resident than the bound, where the system tells.
fn check_memory() {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib << 10 < BOUND, "{kib} KiB");
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_lost_nothing() {
    for (name, file) in formats() {
        let whole = decode(&file).unwrap();
        for length in 0..file.len() {
            match decode(&file[..length]) {
                Ok(picture) => {
                    assert!(picture == whole, "{length} of {} bytes of {name}", file.len());
                    // What lies behind the first frame does not count, nor do padding and trailers.
                    let spare = if name.starts_with("moving") { file.len() } else { 12 };
                    assert!(length + spare >= file.len(), "{length} bytes of {name}");
                }
                Err(PictureError::Empty) => assert_eq!(length, 0),
                Err(error) => {
                    line(&error);
                }
            }
        }
    }
    check_memory();
}

#[test]
fn a_png_lacks_nothing_but_its_end() {
    for name in ["rgb.png", "grey-16.png", "palette-alpha.png"] {
        let file = fs::read(fixture("formats").join(name)).unwrap();
        let whole = decode(&file).unwrap();
        for missing in 1..=12 {
            assert_eq!(decode(&file[..file.len() - missing]).unwrap(), whole, "{name}, {missing}");
        }
        // With the checksum of the pixels, more than the end is missing.
        let error = decode(&file[..file.len() - 13]).unwrap_err();
        assert!(matches!(error, PictureError::CutOff), "{name}: {error}");
    }
}

#[test]
fn a_file_with_any_byte_changed_is_an_error_or_some_picture() {
    let (mut errors, mut pictures) = (0, 0);
    for (_, mut file) in formats() {
        for at in 0..file.len() {
            let byte = file[at];
            for changed in [0, 0xFF, byte ^ 0x80, byte.wrapping_add(1)] {
                file[at] = changed;
                match decode(&file) {
                    Ok(_) => pictures += 1,
                    Err(error) => {
                        line(&error);
                        errors += 1;
                    }
                }
            }
            file[at] = byte;
        }
    }
    assert!(errors > 10_000 && pictures > 1_000, "{errors} errors, {pictures} pictures");
    check_memory();
}

/// A PNG file of one chunk of data.
fn png(width: u32, height: u32, packed: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8], body: &[u8]| {
        let checked = [kind, body].concat();
        let mut crc = !0_u32;
        for &byte in &checked {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        let length = (body.len() as u32).to_be_bytes();
        [&length[..], &checked, &(!crc).to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let start = b"\x89PNG\r\n\x1a\n".to_vec();
    [start, chunk(b"IHDR", &header), chunk(b"IDAT", packed), chunk(b"IEND", b"")].concat()
}

/// A JPEG file whose frame header lies about its size.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut file = fs::read(fixture("formats/rgb.jpg")).unwrap();
    // The frame header: marker, length, precision, then height and width.
    let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

/// A fixture in which `bytes` stand at `at`.
fn changed(name: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = fs::read(fixture("formats").join(name)).unwrap();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

const UNKNOWN: &str = "not a JPEG, PNG, WebP, GIF, BMP or TIFF picture, going by its contents";
const CUT_OFF: &str = "the picture is cut off before its end: copy or fetch the file again";
const MANY: &str = "pixels are too many: at most 200 million are read, so scale it down";
const OTHER: &str = "only JPEG, PNG, WebP, GIF, BMP and TIFF are read, so convert it";
const DAMAGED: &str = "the picture is damaged: ";

/// Files by name, and how the line about each begins or ends.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let broken = |name| fs::read(fixture("broken").join(name)).unwrap();
    let riff = |kind: &[u8]| [b"RIFF\x24\0\0\0", kind, b"fmt \x10\0\0\0\x01\0\x01\0"].concat();
    let ftyp = |brand: &[u8]| [b"\0\0\0\x20ftyp", brand, b"\0\0\0\0mif1heic"].concat();
    let swapped = |name: &str, keep: usize| {
        let mut file = fs::read(fixture("formats").join(name)).unwrap();
        file[keep..].reverse();
        file
    };
    let head = |name: &str, length: usize| {
        fs::read(fixture("formats").join(name)).unwrap()[..length].to_vec()
    };
    let large = 60_000_u32.to_le_bytes();
    vec![
        ("empty.jpg", vec![], "the file is empty"),
        ("text.png", text("A text, renamed."), UNKNOWN),
        ("page.jpg", text("<!DOCTYPE html><title>404</title>"), UNKNOWN),
        ("pointer.png", text("version https://git-lfs.github.com/spec/v1\noid"), UNKNOWN),
        ("vector.png", text("<svg xmlns='http://www.w3.org/2000/svg'/>"), UNKNOWN),
        ("document.jpg", text("%PDF-1.7\n1 0 obj"), UNKNOWN),
        ("archive.png", b"PK\x03\x04\x14\0\0\0".to_vec(), UNKNOWN),
        ("sound.webp", riff(b"WAVE"), UNKNOWN),
        ("phone.jpg", ftyp(b"heic"), UNKNOWN),
        ("next.jpg", ftyp(b"avif"), OTHER),
        ("icon.png", b"\0\0\x01\0\x01\0\x10\x10".to_vec(), OTHER),
        ("zeros.jpg", vec![0; 4_096], UNKNOWN),
        ("ones.png", vec![0xFF; 4_096], UNKNOWN),
        ("byte.gif", b"G".to_vec(), UNKNOWN),
        ("mark.png", "\u{FEFF}".into(), UNKNOWN),
        ("start.jpg", b"\xFF\xD8\xFF".to_vec(), CUT_OFF),
        ("start-and-end.jpg", b"\xFF\xD8\xFF\xD9".to_vec(), DAMAGED),
        ("start.png", b"\x89PNG\r\n\x1a\n".to_vec(), CUT_OFF),
        ("start.gif", b"GIF89a".to_vec(), DAMAGED),
        ("start.bmp", b"BM".to_vec(), CUT_OFF),
        ("start.tif", b"II\x2a\0".to_vec(), ""),
        ("start.webp", b"RIFF\x04\0\0\0WEBP".to_vec(), ""),
        ("bomb.png", broken("bomb.png"), MANY),
        ("bomb.jpg", jpeg(65_535, 65_535), MANY),
        ("bomb.bmp", changed("rgb.bmp", 18, &[large, large].concat()), MANY),
        ("bomb.gif", changed("palette.gif", 6, &[0xFF; 4]), MANY),
        ("zero.png", broken("zero.png"), ""),
        ("zero.jpg", jpeg(0, 0), DAMAGED),
        ("no-rows.jpg", jpeg(17, 0), ""),
        ("no-columns.jpg", jpeg(0, 12), DAMAGED),
        ("zero.bmp", changed("rgb.bmp", 18, &[0; 8]), ""),
        ("lying.png", png(14_000, 14_000, &[]), ""),
        ("lying-strip.png", png(1, 100_000, &[0x78, 0x9C]), ""),
        ("lying-wide.png", png(100_000, 1, &[0x78, 0x9C, 0x63]), ""),
        ("lying.jpg", jpeg(14_000, 14_000), CUT_OFF),
        ("lying-tall.jpg", jpeg(17, 12_000), ""),
        ("lying-twice.jpg", jpeg(17, 24), DAMAGED),
        ("lying-wide.jpg", jpeg(1_700, 12), DAMAGED),
        ("lying.bmp", changed("rgb.bmp", 18, &13_000_u32.to_le_bytes()), CUT_OFF),
        ("lying-high.bmp", changed("rgb.bmp", 22, &90_000_u32.to_le_bytes()), DAMAGED),
        ("depth.bmp", changed("rgb.bmp", 28, &[7, 0]), ""),
        ("coding.bmp", changed("rgb.bmp", 30, &[9]), ""),
        ("header.bmp", changed("rgb.bmp", 14, &[3]), ""),
        ("checksum.png", changed("rgb.png", 29, &[0; 4]), DAMAGED),
        ("depth.png", changed("rgb.png", 24, &[5]), ""),
        ("colour.png", changed("rgb.png", 25, &[5]), ""),
        ("no-palette.png", changed("palette.png", 37, b"PLTX"), ""),
        ("packed.png", png(17, 12, b"not zlib"), DAMAGED),
        (
            "precision.jpg",
            {
                let mut file = jpeg(17, 12);
                let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
                file[frame + 4] = 12;
                file
            },
            "",
        ),
        (
            "arithmetic.jpg",
            {
                let mut file = jpeg(17, 12);
                let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
                file[frame + 1] = 0xC9;
                file
            },
            "",
        ),
        (
            "lossless.jpg",
            {
                let mut file = jpeg(17, 12);
                let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
                file[frame + 1] = 0xC3;
                file
            },
            "",
        ),
        ("half.jpg", head("rgb.jpg", 300), CUT_OFF),
        ("half.png", head("rgb.png", 100), CUT_OFF),
        ("half.webp", head("rgb.webp", 100), ""),
        ("half-lossless.webp", head("lossless.webp", 200), ""),
        ("half.gif", head("palette.gif", 200), ""),
        ("half.bmp", head("rgb.bmp", 300), CUT_OFF),
        ("half.tif", head("rgb.tif", 300), ""),
        ("header.jpg", head("rgb.jpg", 20), CUT_OFF),
        ("header.png", head("rgb.png", 30), CUT_OFF),
        ("mixed.jpg", swapped("rgb.jpg", 20), CUT_OFF),
        ("mixed.png", swapped("rgb.png", 20), ""),
        ("mixed.webp", swapped("rgb.webp", 16), ""),
        ("mixed.tif", swapped("rgb.tif", 8), ""),
        ("mixed.gif", swapped("palette.gif", 13), ""),
        ("far.tif", b"II\x2a\0\xFF\xFF\xFF\xFF".to_vec(), ""),
        ("loop.tif", b"II\x2a\0\x08\0\0\0\0\0\x08\0\0\0".to_vec(), ""),
    ]
}

#[test]
fn a_bad_file_is_one_clear_line_for_all_who_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut other = vec![];
    for (name, file, says) in cases {
        let path = folder.path().join(name);
        fs::write(&path, file).unwrap();
        let said = refused(&path);
        if !(said.starts_with(says) || said.ends_with(says)) {
            other.push(format!("{name}: {said}"));
        }
    }
    assert!(other.is_empty(), "{other:#?}");
    check_memory();
}

/// What is said of a file by all who read it, which must not differ in kind: only the header is read
/// for a size, so that may be told.
fn refused(path: &Path) -> String {
    let (settings, input) = (ImageSettings::default(), Input::File(path.to_path_buf()));
    let Err(error) = settings.read(&input) else { return format!("{path:?} was read") };
    let read = line(error.as_ref());
    let kept = line(settings.read_for_training(&input).unwrap_err().as_ref());
    let shown = line(settings.preview(&input).unwrap_err().as_ref());
    assert_eq!((&kept, &shown), (&read, &read));
    if let Err(error) = settings.size(&input) {
        line(error.as_ref());
    }
    read
}

#[test]
fn a_picture_of_another_format_than_its_name_says_is_read_by_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ImageSettings::default();
    for (from, to) in [("rgb.png", "a.jpg"), ("rgb.jpg", "a.png"), ("rgb.webp", "a.tiff")] {
        let (from, to) = (fixture("formats").join(from), folder.path().join(to));
        fs::copy(&from, &to).unwrap();
        let read = |path| settings.read(&Input::File(path)).unwrap();
        assert_eq!(read(from), read(to));
    }
}

#[test]
fn strips_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(1, 100_000), (100_000, 1)] {
        let path = folder.path().join("strip.png");
        image::RgbImage::from_pixel(width, height, image::Rgb([1, 2, 3])).save(&path).unwrap();
        let settings = ImageSettings::default();
        let input = Input::File(path);
        assert_eq!(settings.size(&input).unwrap(), [f64::from(width), f64::from(height)]);
        let sample = settings.read(&input).unwrap();
        assert_eq!(sample.size(), [3, 224, 224]);
        assert_eq!(sample.select(0, 2).min().int64_value(&[]), 3);
    }
    check_memory();
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named() {
    use std::{
        ffi::OsStr,
        os::unix::{
            ffi::OsStrExt,
            fs::{PermissionsExt, symlink},
        },
    };

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let regular = "not a regular file";
    assert_eq!(refused(folder.path()), regular);
    assert!(refused(&at("missing.jpg")).starts_with("cannot read the file: "));
    symlink(at("loop.jpg"), at("loop.jpg")).unwrap();
    assert!(refused(&at("loop.jpg")).starts_with("cannot read the file: "));
    symlink(at("nowhere.jpg"), at("dangling.jpg")).unwrap();
    assert!(refused(&at("dangling.jpg")).starts_with("cannot read the file: "));
    symlink("/dev/zero", at("endless.jpg")).unwrap();
    assert_eq!(refused(&at("endless.jpg")), regular);
    if Command::new("mkfifo").arg(at("pipe.jpg")).status().is_ok_and(|status| status.success()) {
        assert_eq!(refused(&at("pipe.jpg")), regular);
    }
    // More than is read, of which nothing is stored.
    fs::File::create(at("long.jpg")).unwrap().set_len(3 << 30).unwrap();
    assert!(refused(&at("long.jpg")).starts_with("the file has 3072 MiB: at most 1024 are read"));

    // A name that is no UTF-8 is a name.
    let name = folder.path().join(OsStr::from_bytes(b"\xFF\xFE picture.png"));
    fs::copy(fixture("formats/rgb.png"), &name).unwrap();
    assert!(ImageSettings::default().read(&Input::File(name.clone())).is_ok());
    fs::write(&name, "no picture").unwrap();
    assert_eq!(refused(&name), UNKNOWN);

    let path = at("secret.png");
    fs::copy(fixture("formats/rgb.png"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Nothing is secret from root.
    if fs::File::open(&path).is_err() {
        assert!(refused(&path).starts_with("cannot read the file: "));
    }
}
