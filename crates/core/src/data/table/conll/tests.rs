//! CoNLL files as they are found, and everything that can be wrong with one.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn is_label(text: &str) -> bool {
    text == "O" || text.split_once('-').is_some_and(|(place, _)| matches!(place, "B" | "I"))
}

const LABELLED: ConllLayout = ConllLayout { word: None, label: None, labelled: true, is_label };

fn all(text: &str, layout: ConllLayout) -> Result<Vec<Result<Sentence, Fault>>, Fault> {
    let mut found = vec![];
    read(&mut Lines::new(text.as_bytes(), 1000), layout, &mut |one| found.push(one))?;
    Ok(found)
}

/// The sentences, `line: word/label word/label`.
fn shown(text: &str, layout: ConllLayout) -> Vec<String> {
    let shown = |one: Result<Sentence, Fault>| match one {
        Ok(Sentence { line, words, labels }) => {
            let labels = labels.into_iter().map(|label| format!("/{label}"));
            let labels = labels.chain(std::iter::repeat(String::new()));
            let words: Vec<_> = words.iter().zip(labels).map(|(w, l)| format!("{w}{l}")).collect();
            format!("{line}: {}", words.join(" "))
        }
        Err(fault) => panic!("{fault:?}"),
    };
    all(text, layout).unwrap().into_iter().map(shown).collect()
}

#[test]
fn words_and_labels_stand_in_the_first_and_the_last_column() {
    let expected = ["1: EU/B-ORG rejects/O", "4: Peter/B-PER"];
    for text in [
        "EU\tB-ORG\nrejects\tO\n\nPeter\tB-PER\n",
        "EU B-ORG\nrejects O\n\nPeter B-PER",
        "EU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\nPeter NNP I-NP B-PER\n",
        "\u{FEFF}EU\tB-ORG\r\nrejects\tO\r\n\r\nPeter\tB-PER\r\n",
        "EU  B-ORG  \nrejects\t O\n \t \nPeter   B-PER\n\n\n",
        "EU\tB-ORG\nrejects\tO\n\u{FEFF}\nPeter\tB-PER\n\u{FEFF}",
        "EU\t_\tB-ORG\t\nrejects\t_\tO\n\t\t\nPeter\t\tB-PER\n",
    ] {
        assert_eq!(shown(text, LABELLED), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_word_is_passed_over() {
    let text = "-DOCSTART- -X- O\n\nEU NNP B-ORG\n-DOCSTART- -X- O\n\n# a comment of some words\nPeter NNP B-PER\n# # O\n";
    assert_eq!(shown(text, LABELLED), ["3: EU/B-ORG", "7: Peter/B-PER #/O"]);
    // A word may begin with the sign of comments, and be the first.
    let text = "#photo\tO\nEU\tB-ORG\n\n#\tO\n\n# id 7\tlang=en\nPeter\tB-PER\n";
    assert_eq!(shown(text, LABELLED), ["1: #photo/O EU/B-ORG", "4: #/O", "7: Peter/B-PER"]);
    let text = "# id 9\tdomain=en\nthe _ _ O\nEU _ _ B-ORG\n\n# O _ O\nis _ _ O\n";
    assert_eq!(shown(text, LABELLED), ["2: the/O EU/B-ORG", "5: #/O is/O"]);
    // Tags of parts of speech are no sure sign, so that as many columns are a word.
    assert_eq!(shown("a DT\n# #\n\n# #\nb NN\n", LABELLED), ["1: a/DT #/#", "4: #/# b/NN"]);
}

#[test]
fn spaces_that_do_not_break_belong_to_a_word() {
    let text = "10\u{A0}000 O\n\u{A0} O\nNew York\tB-LOC\n";
    let found = all(text, LABELLED).unwrap();
    assert!(matches!(&found[0], Err(fault) if fault.line == Some(3)), "{found:?}");
    let text = "10\u{A0}000\tO\n\u{A0}\tO\nNew York\tB-LOC\n";
    assert_eq!(shown(text, LABELLED), ["1: 10\u{A0}000/O \u{A0}/O New York/B-LOC"]);
}

#[test]
fn columns_may_be_given() {
    let text = "1\tEU\tNNP\tB-ORG\n2\tis\tVB\tO\n3\t.\t.\tO\n";
    assert_eq!(shown(text, LABELLED), ["1: EU/B-ORG is/O ./O"], "the first column counts");
    let layout = ConllLayout { word: Some(1), label: Some(2), ..LABELLED };
    assert_eq!(shown(text, layout), ["1: EU/NNP is/VB ./."]);
    let layout = ConllLayout { word: Some(0), ..LABELLED };
    assert_eq!(shown(text, layout), ["1: 1/B-ORG 2/O 3/O"]);
    // A sentence of numbers does not count.
    let text = "1\tx\tO\n3\tx\tO\n5\tx\tO\n";
    assert_eq!(shown(text, LABELLED), ["1: 1/O 3/O 5/O"]);
    let unlabelled = ConllLayout { labelled: false, ..LABELLED };
    assert_eq!(shown("EU\nis\n\nSo\n", unlabelled), ["1: EU is", "4: So"]);
}

#[test]
fn conll_u_has_its_own_columns() {
    let row =
        |id: &str, word: &str, tag: &str| format!("{id}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_\n");
    let text = [
        "# text = Im Haus\n".into(),
        row("1-2", "Im", "_"),
        row("1", "In", "ADP"),
        row("2", "dem", "DET"),
    ];
    let text = text.concat()
        + &row("2.1", "x", "_")
        + &row("3", "Haus", "NOUN")
        + "\n"
        + &row("1", "Ja", "INTJ");
    assert_eq!(shown(&text, LABELLED), ["2: In/ADP dem/DET Haus/NOUN", "8: Ja/INTJ"]);
}

#[test]
fn a_faulty_line_spoils_its_sentence_alone() {
    let text = "EU B-ORG\nrejects\nmore than two\n\nPeter B-PER\n\n\u{A0}x\t\n";
    let found = all(text, LABELLED).unwrap();
    let fault = |line, problem: &str| Err(Fault::new(Some(line), problem));
    assert_eq!(found[0], fault(2, "the line has 1 column, expected 2 as in line 1"));
    assert!(found[1].is_ok());
    assert_eq!(found[2], fault(7, "the line has 1 column, expected 2 as in line 1"));
    let found = all("a\tO\nb\tx\tO\n\n\tO\n", LABELLED).unwrap();
    assert_eq!(found[0], fault(2, "the line has 3 columns, expected 2 as in line 1"));
    assert_eq!(found[1], fault(4, "the line has no word in column 1"));
    let found = all("a\t\tO\n", ConllLayout { label: Some(1), ..LABELLED }).unwrap();
    assert_eq!(found[0], fault(1, "the line has no label in column 2"));
    let long = format!("a O\n{} O\n\nb O\n", "x".repeat(2000));
    let found = all(&long, LABELLED).unwrap();
    assert_eq!(found[0], fault(2, "the line is longer than 1000 bytes"));
    assert!(found[1].is_ok());
}

#[test]
fn what_holds_for_all_lines_ends_the_reading() {
    for (text, layout, line, problem) in [
        ("EU\nrejects\n", LABELLED, 1, "the line has 1 column, expected a word and its label"),
        (
            "a O\n",
            ConllLayout { label: Some(4), ..LABELLED },
            1,
            "the line has 2 columns, but --label-column is 5",
        ),
        (
            "a O\n",
            ConllLayout { word: Some(2), ..LABELLED },
            1,
            "the line has 2 columns, but --input-column is 3",
        ),
        (
            "\na O\n",
            ConllLayout { word: Some(1), ..LABELLED },
            2,
            "column 2 is that of the words and that of the labels",
        ),
    ] {
        assert_eq!(all(text, layout), Err(Fault::new(Some(line), problem)), "{text:?}");
    }
    let endless = "word O\n".repeat(400);
    let fault = all(&endless, LABELLED).unwrap_err();
    assert_eq!(fault.line, Some(1));
    assert!(fault.problem.starts_with("the sentence has more than 1000 bytes; write a blank line"));
    assert_eq!(all("", LABELLED), Ok(vec![]));
    assert_eq!(all("\n# x\n\n", LABELLED), Ok(vec![]));
}

#[test]
fn a_file_shows_what_it_is() {
    for (text, is) in [
        ("EU\tB-ORG\nrejects\tO\n", true),
        ("# a comment\n\nEU NNP B-ORG\n", true),
        ("-DOCSTART- -X- O\n\nEU B-ORG\n", true),
        ("tokens\tner_tags\n['a']\t['O']\n", false),
        ("A sentence of words\nand an O\n", false),
        ("a,O\n", false),
        ("", false),
    ] {
        assert_eq!(looks_like(text, is_label), is, "{text:?}");
    }
}

#[test]
fn any_text_is_read_or_refused() {
    const PIECES: &[&str] = &[
        " ",
        " ",
        "\t",
        "\t",
        "\n",
        "\n",
        "\n\n",
        "\r",
        "#",
        "# ",
        "-DOCSTART-",
        "1",
        "2",
        "3",
        "1-2",
        "2.1",
        "B-X",
        "O",
        "O",
        "w",
        "\u{FEFF}",
        "\u{A0}",
        "\u{3000}",
        "-",
        "\u{0}",
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut read_well = 0;
    for _ in 0..5000 {
        let pieces = rng.random_range(0..40);
        let text: String = (0..pieces).map(|_| PIECES[rng.random_range(0..PIECES.len())]).collect();
        let at = |rng: &mut ChaCha8Rng| rng.random_bool(0.3).then(|| rng.random_range(0..4));
        let (word, label) = (at(&mut rng), at(&mut rng));
        let layout = ConllLayout { word, label, labelled: rng.random_bool(0.8), is_label };
        let mut last = 0;
        for one in all(&text, layout).unwrap_or_default() {
            let line = match one {
                Ok(sentence) => {
                    let labels = if layout.labelled { sentence.words.len() } else { 0 };
                    assert_eq!(sentence.labels.len(), labels, "{text:?}");
                    assert!(!sentence.words.is_empty() && !sentence.words.contains(&String::new()));
                    read_well += 1;
                    sentence.line
                }
                Err(fault) => fault.line.unwrap(),
            };
            assert!(line > last, "{text:?}");
            last = line;
        }
    }
    assert!(read_well > 100, "{read_well}");
}
