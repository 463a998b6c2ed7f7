//! The page's text: what a browser would not tell. `tests/browser.rs` opens it in one.

use super::*;
use crate::{
    comparison::{Comparison, Media},
    sample,
};

/// Every tag is closed in its order, and every attribute is quoted: a check that would fail if
/// text from elsewhere got out of its place.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 4] = ["meta", "link", "img", "input"];
    let body = &page[page.find("</style>").expect("a style")..];
    let mut open: Vec<&str> = vec!["html", "head", "style"];
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "…{}", &rest[..rest.len().min(80)]);
        } else {
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split(' ').next().unwrap_or(tag);
            if !VOID.contains(&name) && !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn page(c: Comparison) -> String {
    html(&Matrix::new(vec![c]).expect("valid"))
}

#[test]
fn nine_directions_are_well_formed_and_their_links_lead_somewhere() {
    let page = html(&sample::matrix());
    assert_well_formed(&page);
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().expect("a quote");
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\0\u{202e}שלום 😀";
    let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[0]);
    c.labels[0] = hostile.into();
    c.labels[1] = "a-very-long-label-without-a-single-space-in-it".repeat(8);
    c.labels[2] = String::from_utf8_lossy(b"caf\xe9\xff").into_owned();
    for text in
        [&mut c.source.name, &mut c.source.family, &mut c.target.name, &mut c.target.samples]
    {
        *text = hostile.into();
    }
    for text in [&mut c.recipe, &mut c.freeze, &mut c.version, &mut c.machine, &mut c.made] {
        *text = hostile.into();
    }
    c.error_examples[0].place = hostile.into();
    c.error_examples[1].media = Media::Text(hostile.repeat(20));
    let page = page(c);
    assert_well_formed(&page);
    assert!(!page.contains("<script"));
    assert!(!page.contains("<img src=x"));
    assert!(!page.contains('\0'));
    assert!(page.contains("<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;"));
}

#[test]
fn one_arm_one_size_one_seed_is_a_page_too() {
    let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[1]);
    c.arms.truncate(1);
    c.arms[0].runs.retain(|run| run.size == 2700 && run.seed == 0);
    c.arms[0].runs[0].curve.clear();
    c.arms[0].trials.clear();
    let page = page(c);
    assert_well_formed(&page);
    assert!(page.contains("No control was run, so nothing can be said of a gain."));
    assert!(page.contains("by the test set alone, 1 seed"));
}

#[test]
fn sequences_have_no_confusions_and_their_own_metric() {
    let text = page(sample::sequences::transcription());
    assert_well_formed(&text);
    assert!(!text.contains("Confusions, ") && !text.contains("most frequent class"));
    assert!(!text.contains("<h3>Reliability, "));
    for said in ["<h3>WER by training size</h3>", "has a WER of", "Lower is better", ">CER</th>"] {
        assert!(text.contains(said), "{said}");
    }
    let text = page(sample::sequences::tagging());
    assert_well_formed(&text);
    assert!(text.contains("Span F1 (%) over training size") && text.contains("labels of words"));
}

#[test]
fn probabilities_have_a_diagram_before_and_after_calibration() {
    let text = page(sample::comparison(sample::SOURCES[0], sample::TARGETS[0]));
    assert_well_formed(&text);
    assert!(text.contains("<h3>Reliability, 2,700 <bdi>pictures</bdi></h3>"), "{text}");
    assert!(text.contains("<td>12.0 → 2.0</td>"), "the error before and after");
    // The transfer and its best control: each has both curves, and a mark for each bin with samples.
    for (class, shape) in [("before", "<rect class=\"mark\""), ("after", "<circle class=\"mark\"")]
    {
        let head = format!("<g class=\"{class}\">");
        assert_eq!(text.matches(&head).count(), 2, "{class}");
        for curve in text.split(&head).skip(1) {
            let end = curve.find("</g></g>").expect("an end");
            let marks = curve[..end].matches(shape).count();
            assert_eq!(marks, 10, "{class}: {}", &curve[..200]);
        }
    }
}

#[test]
fn many_classes_are_a_heat_map_and_a_list() {
    let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[1]);
    c.labels = (0..100).map(|class| format!("class {class}")).collect();
    for run in c.arms.iter_mut().flat_map(|arm| &mut arm.runs) {
        let mut confusion = vec![vec![0; 100]; 100];
        (0..100).for_each(|class| confusion[class][class] = 2);
        (0..100).for_each(|class| confusion[class][(class * 7 + 3) % 100] += 1);
        let right: u32 = (0..100).map(|class| confusion[class][class]).sum();
        run.value = f64::from(right) / 300.;
        run.confusion = Some(confusion.try_into().unwrap());
    }
    let page = page(c);
    assert_well_formed(&page);
    assert!(page.contains("class=\"heat\""));
    assert!(!page.contains("class=\"confusion\""));
    assert_eq!(page.matches("class=\"confused\"").count(), 2);
}
