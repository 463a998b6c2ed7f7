//! The report, opened in a headless Chromium: `CHROME`, or one on the `PATH`. Pictures of it lie in
//! the target folder, in `tmp`, to be looked at.

#[allow(dead_code)]
mod sample;

use std::{fs, path::Path};

use crosstune_browser::{AUDIT, Page, Result, find};
use crosstune_report::{Comparison, Matrix, Media, html};
use serde_json::{Value, json};

/// Opens the page of a matrix and lets `look` at it; then it must have made no complaint.
fn with(matrix: &Matrix, look: impl FnOnce(&mut Page) -> Result) -> Result {
    let Some(chrome) = find("crosstune-report") else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.html");
    fs::write(&file, html(matrix))?;
    let mut page =
        Page::launch(&chrome, &[]).map_err(|error| format!("{}: {error}", chrome.display()))?;
    page.open(&format!("file://{}", file.display()))?;
    look(&mut page)?;
    assert_eq!(page.complaints()?, [""; 0]);
    Ok(())
}

/// Audits the page in both widths and both themes, and takes pictures of the elements.
fn audit(page: &mut Page, name: &str, elements: &[&str]) -> Result {
    for width in [400, 1280] {
        for scheme in ["light", "dark"] {
            page.show(width, scheme)?;
            for element in elements {
                let part = element.trim_start_matches(['#', '.']);
                let file = format!("{name}-{part}-{width}-{scheme}.png");
                page.picture(element, &Path::new(env!("CARGO_TARGET_TMPDIR")).join(file))?;
            }
            let faults = page.evaluate(AUDIT)?;
            assert_eq!(faults, json!([]), "{name}, {width} wide, {scheme}");
            assert_eq!(page.evaluate("document.scripts.length")?, json!(0), "{name}");
        }
    }
    Ok(())
}

/// How light the page's background is, 0 to 1.
fn lightness(page: &mut Page) -> Result<f64> {
    let colour = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")?;
    let parts = colour.as_array().ok_or("no colour")?;
    let parts = parts.iter().filter_map(|part| part.as_str()?.parse::<f64>().ok());
    Ok(parts.sum::<f64>() / 3. / 255.)
}

#[test]
fn nine_directions_are_readable_in_every_width_and_theme() -> Result {
    with(&sample::matrix(), |page| {
        let pictures = ["header", "#overview", "#c0", "#c1", "#c2", "#method"];
        audit(page, "nine", &pictures)?;
        let count = |selector: &str| format!("document.querySelectorAll('{selector}').length");
        assert_eq!(page.evaluate(&count(".overview tbody .cell"))?, json!(9));
        // Four arms in four charts of nine comparisons.
        let of_arms = ".chart :not(.before):not(.after) > .line";
        assert_eq!(page.evaluate(&count(of_arms))?, json!(144));
        // And diagrams of reliability.
        assert_ne!(page.evaluate(&count(".chart .before .line"))?, json!(0));
        assert_eq!(page.evaluate(&count(".error audio"))?, json!(18));
        // Where an answer is explained, the marked words stand in place of the text.
        assert_eq!(page.evaluate(&count(".error blockquote"))?, json!(15));
        Ok(())
    })
}

#[test]
fn recordings_play() -> Result {
    with(&sample::matrix(), |page| {
        let ready = page.evaluate(
            "Promise.all([...document.querySelectorAll('audio')].map(a => new Promise((yes, no) => { \
               a.oncanplaythrough = () => yes(a.duration); \
               a.onerror = () => no(new Error(a.error.message)); \
               a.preload = 'auto'; a.load(); })))",
        )?;
        let ready: Vec<f64> = serde_json::from_value(ready)?;
        assert_eq!(ready.len(), 18);
        assert!(ready.iter().all(|seconds| (seconds - 0.5).abs() < 0.01), "{ready:?}");
        let heard = page.evaluate(
            "new Promise((yes, no) => { const a = document.querySelector('audio'); \
               a.onended = () => yes(a.currentTime); a.play().catch(no); })",
        )?;
        assert!(heard.as_f64().is_some_and(|seconds| seconds > 0.4), "{heard}");
        Ok(())
    })
}

#[test]
fn the_theme_is_the_systems_until_one_is_chosen_by_keyboard() -> Result {
    with(&sample::matrix(), |page| {
        for (scheme, light) in [("light", true), ("dark", false)] {
            page.show(1280, scheme)?;
            assert_eq!(lightness(page)? > 0.5, light, "{scheme}");
        }
        page.show(1280, "light")?;
        let mut press = |key: &str, code: u32| -> Result<Value> {
            page.press(key, code)?;
            page.evaluate("document.activeElement.id || document.activeElement.className")
        };
        assert_eq!(press("Tab", 9)?, json!("skip"));
        assert_eq!(press("Tab", 9)?, json!("theme-system"));
        assert_eq!(press("ArrowRight", 39)?, json!("theme-light"));
        assert_eq!(press("ArrowRight", 39)?, json!("theme-dark"));
        assert_eq!(press("Tab", 9)?, json!("cell"));
        assert!(lightness(page)? < 0.5);
        Ok(())
    })
}

#[test]
fn hostile_names_are_text() -> Result {
    const HOSTILE: &str =
        "<script>window.caught=1</script>\"'><img src=x onerror=window.caught=1>\u{202e}שלום 😀";
    let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[1]);
    c.labels[0] = HOSTILE.into();
    c.labels[1] = "label-without-a-space".repeat(20);
    c.labels[2] = String::from_utf8_lossy(b"caf\xe9\xff").into_owned();
    for text in
        [&mut c.source.name, &mut c.source.family, &mut c.target.name, &mut c.target.samples]
    {
        *text = HOSTILE.into();
    }
    for text in [&mut c.recipe, &mut c.freeze, &mut c.version, &mut c.machine, &mut c.made] {
        *text = HOSTILE.into();
    }
    c.error_examples[0].place = HOSTILE.into();
    c.error_examples[1].media = Media::Text(HOSTILE.repeat(30));
    c.error_examples[2].place = "folder/".repeat(60);
    with(&Matrix::new(vec![c])?, |page| {
        audit(page, "hostile", &["body"])?;
        assert_eq!(page.evaluate("typeof window.caught")?, json!("undefined"));
        let label = "document.querySelector('.confusion tbody bdi').textContent";
        // What would turn the direction of writing is replaced.
        assert_eq!(page.evaluate(label)?, json!(HOSTILE.replace('\u{202e}', "\u{FFFD}")));
        Ok(())
    })
}

/// One arm, one size, one seed, no curve.
fn least() -> Comparison {
    let mut c = sample::comparison(sample::SOURCES[2], sample::TARGETS[2]);
    c.arms.truncate(1);
    c.arms[0].runs.retain(|run| run.size == 2700 && run.seed == 0);
    c.arms[0].runs[0].curve.clear();
    c
}

#[test]
fn sentences_are_shown_word_by_word() -> Result {
    let both = vec![sample::sequences::transcription(), sample::sequences::tagging()];
    with(&Matrix::new(both)?, |page| {
        audit(page, "sentences", &["#overview", "#c0", "#c1"])?;
        let count = |selector: &str| format!("document.querySelectorAll('{selector}').length");
        assert_eq!(page.evaluate(&count(".words"))?, json!(12));
        assert_eq!(page.evaluate(&count(".words + figcaption"))?, json!(10));
        // Why the first of each was read so.
        assert_eq!(page.evaluate(&count(".words + .soft"))?, json!(2));
        assert_eq!(page.evaluate(&count(".sentences .map, .sentences .marks"))?, json!(2));
        assert_eq!(page.evaluate(&count(".error audio"))?, json!(6));
        // Lines, not colours alone.
        let line = |selector: &str| {
            let of = format!("document.querySelector('{selector}')");
            format!(
                "getComputedStyle({of}).textDecorationLine + ' ' + getComputedStyle({of}).textDecorationStyle"
            )
        };
        assert_eq!(page.evaluate(&line(".words .sub i"))?, json!("underline wavy"));
        assert_eq!(page.evaluate(&line(".words .del bdi"))?, json!("line-through solid"));
        assert_eq!(page.evaluate(&line(".words .ins i"))?, json!("underline double"));
        Ok(())
    })
}

#[test]
fn one_run_is_a_page_too() -> Result {
    with(&Matrix::new(vec![least()])?, |page| audit(page, "one", &["body"]))
}

#[test]
fn a_hundred_classes_are_readable() -> Result {
    let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[0]);
    c.labels = (0..100).map(|class| format!("a rather long name of class {class}")).collect();
    for (number, run) in c.arms.iter_mut().flat_map(|arm| &mut arm.runs).enumerate() {
        let mut confusion = vec![vec![0; 100]; 100];
        for sample in 0..300 {
            let wrong = (sample * 7 + number) % 5 == 0;
            confusion[sample % 100][if wrong { (sample * 13 + 5) % 100 } else { sample % 100 }] +=
                1;
        }
        let right: u32 = (0..100).map(|class| confusion[class][class]).sum();
        run.confusion = Some(confusion.try_into().unwrap());
        run.value = f64::from(right) / 300.;
    }
    with(&Matrix::new(vec![c])?, |page| audit(page, "many", &["body"]))
}
