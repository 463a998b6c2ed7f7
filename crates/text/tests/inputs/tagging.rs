//! Words that are labelled one by one; `xtask/scripts/fixtures/text_tagging.py` made the files.

use std::{fs, path::PathBuf};

use crosstune_core::{
    Device, Input, Item, MemoryBudget, Modality, Model, Pretrained, ReadMode, Samples, Task,
    data::inputs,
    predict::{Answer, answers, score},
};
use crosstune_text::TextSettings;
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// A model with its settings, as it is published.
fn published(name: &str) -> (Model, TextSettings) {
    let source = Pretrained::open(fixture(name)).unwrap();
    let mut settings = TextSettings::default();
    let model =
        Model::pretrained(&source, &mut settings, |_, _| unreachable!(), Device::Cpu).unwrap();
    assert_eq!(model.spec().task, Task::Tagging);
    (model, settings)
}

/// What a model finds in texts.
fn found(model: &Model, settings: &TextSettings, all: &[Input]) -> Vec<Answer> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "x\n").unwrap();
    let template = inputs(&path, &TextSettings::layout()).unwrap().items.remove(0);
    let items: Vec<Item> =
        all.iter().map(|input| Item { input: input.clone(), ..template.clone() }).collect();
    let (samples, bad) =
        Samples::read(settings, &items, ReadMode::Inference, &mut MemoryBudget::default(), || ());
    assert!(bad.is_empty(), "{bad:?}");
    let mut answered = vec![];
    score(model, settings, &samples, 8, |chosen, scores| {
        for (answer, &at) in answers(model.spec().task_config(), scores)?.into_iter().zip(chosen) {
            answered.push(answer.located(&settings.places(&all[at], 0).unwrap()));
        }
        Ok(())
    })
    .unwrap();
    answered
}

#[test]
fn entities_are_those_of_transformers_pipeline() {
    for name in ["tagging/bert-tags", "tagging/roberta-tags", "tagging/unigram-tags"] {
        let (model, settings) = published(name);
        let file = fs::read_to_string(fixture(name).join("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&file).unwrap();
        let texts = expected["texts"].as_array().unwrap();
        let texts: Vec<_> =
            texts.iter().map(|text| Input::Text(text.as_str().unwrap().into())).collect();
        let answered = found(&model, &settings, &texts);
        assert_eq!(answered.len(), texts.len());
        for ((answer, text), expected) in
            answered.iter().zip(&texts).zip(expected["entities"].as_array().unwrap())
        {
            let Answer::Entities(entities) = answer else { panic!("{name}: {text:?}") };
            let expected = expected.as_array().unwrap();
            assert_eq!(entities.len(), expected.len(), "{name}: {text:?}");
            for (entity, expected) in entities.iter().zip(expected) {
                let number = |field: &str| expected[field].as_u64().unwrap() as usize;
                assert_eq!(entity.label, expected["entity_group"], "{name}: {text:?}");
                assert_eq!(entity.text.as_deref(), expected["word"].as_str(), "{name}: {text:?}");
                let place = [number("start"), number("end")];
                assert_eq!(entity.characters, Some(place), "{name}: {text:?}");
                let far = (entity.probability - expected["score"].as_f64().unwrap()).abs();
                assert!(far < 5e-6, "{name}: {text:?}: the probability differs by {far:e}");
            }
        }
    }
}

#[test]
fn words_are_in_the_text_that_a_space_joins_them_to() {
    let (model, settings) = published("tagging/bert-tags");
    let words = ["Zürich", "", "'s", "👨‍👩‍👧", "cafés"].map(str::to_string).to_vec();
    let joined: Vec<char> = words.join(" ").chars().collect();
    let places = settings.places(&Input::Words(words.clone()), 0).unwrap();
    for (place, word) in places.words.iter().zip(&words) {
        assert_eq!(joined[place.clone()].iter().collect::<String>(), *word);
    }
    let [Answer::Entities(entities)] = &found(&model, &settings, &[Input::Words(words)])[..] else {
        panic!("no entities")
    };
    for entity in entities {
        let [from, to] = entity.characters.unwrap();
        let text: String = joined[from..to].iter().collect();
        assert_eq!(entity.text.as_deref(), Some(text.as_str()));
    }
    let error = settings.read(&Input::Pair(["a".into(), "b".into()])).unwrap_err();
    assert!(error.to_string().starts_with("two sentences, but the model labels"), "{error}");
}

/// A sentence that fits is answered alike whether or not a model could take more.
#[test]
fn what_is_in_windows_is_what_is_without_them() {
    let source = Pretrained::open(fixture("tagging/bert-tags")).unwrap();
    let words: Vec<String> = "the quick brown fox doesn't jump over 13 lazy dogs"
        .split(' ')
        .map(str::to_string)
        .collect();
    let samples = [64, 8].map(|most| {
        let mut settings = TextSettings::new(Some(most));
        settings.set_task(Task::Tagging).unwrap();
        settings.adopt(&source).unwrap();
        let sample = settings.read(&Input::Words(words.clone())).unwrap();
        let windows = settings.windows(&sample);
        let mut all: Vec<usize> =
            windows.iter().flat_map(|window| window.words.iter().map(|word| word.word)).collect();
        all.sort_unstable();
        assert_eq!(all, (0..words.len()).collect::<Vec<_>>());
        let batch = settings.batch(&windows.iter().map(|window| &window.x).collect::<Vec<_>>());
        assert!(batch.x.size()[1] <= i64::from(most));
        assert_eq!(windows.len() > 1, most == 8);
        // The same for training: what is drawn has its words with it.
        sample
    });
    assert_eq!(samples[0], samples[1]);
}

/// What was trained on words splits texts as it splits words, and its files say so.
#[test]
fn settings_of_words_are_saved() {
    let (_, mut settings) = published("tagging/roberta-tags");
    let (text, words) = (Input::Text("naïve fox".into()), ["naïve", "fox"].map(str::to_string));
    let input = Input::Words(words.to_vec());
    let row = |settings: &TextSettings, input: &Input| settings.read(input).unwrap().get(0);
    assert_ne!(row(&settings, &text), row(&settings, &input));
    settings.survey(&[&input]);
    assert_eq!(row(&settings, &text), row(&settings, &input));
    let hub = tempfile::tempdir().unwrap();
    settings.save_pretrained(hub.path()).unwrap();
    let config = fs::read_to_string(hub.path().join("tokenizer_config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["add_prefix_space"], true);
    let folder = tempfile::tempdir().unwrap();
    settings.save(folder.path()).unwrap();
    let opened = TextSettings::open(folder.path()).unwrap();
    for input in [&input, &text] {
        assert_eq!(opened.read(input).unwrap(), settings.read(input).unwrap());
    }
}
