//! The settings of sentences: what a text becomes before a model sees it.

use std::{fs, path::Path};

use crosstune_core::{
    Batch, Cause, Embedder, Error, Form, Input, InputKind, Item, Modality, Origin, Place,
    Pretrained, PretrainedEmbedder, Result, Scope, TokenEmbedderConfig,
    modality::PREPROCESSING,
    run::{read_json, write_json},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use crate::{TextError, TokenEmbedder, Tokenizer, file, tokenizer::MAX_LENGTH};

/// How sentences become tensors: cut into tokens as the adopted model was trained to read them.
///
/// A sample is `[T]`, i64; a batch `[B, T]`, i64, padded to its longest sample.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(into = "Saved", from = "Saved")]
pub struct TextSettings {
    /// The longest text, in tokens, if a person asked for it.
    asked: Option<u32>,
    adopted: Option<Adopted>,
}

/// What a pretrained model brings along.
#[derive(Debug, Clone)]
struct Adopted {
    embedder: TokenEmbedderConfig,
    tokenizer: Tokenizer,
}

/// What a text is cut off at if nobody says otherwise, in tokens: some 200 words.
const USUAL_LENGTH: u32 = 256;

impl TextSettings {
    /// Settings for texts of at most `max_length` tokens, special ones included. Left open: 256,
    /// or as many as the adopted model has positions for.
    pub fn new(max_length: Option<u32>) -> Self {
        Self { asked: max_length, adopted: None }
    }

    /// The adopted model's tokenizer.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.adopted.as_ref().map(|adopted| &adopted.tokenizer)
    }

    /// Takes over the tokenizer that lies in a folder and the embedder that belongs to it.
    fn adopt_from(&mut self, folder: &Path, embedder: TokenEmbedderConfig) -> Result<()> {
        let positions = u32::try_from(embedder.longest()).unwrap_or(u32::MAX);
        let max_length = self.asked.unwrap_or(USUAL_LENGTH.min(positions));
        if max_length > positions {
            return Err(Error::Setting {
                setting: MAX_LENGTH,
                problem: format!("{max_length} tokens; the model has positions for {positions}"),
            });
        }
        let tokenizer = Tokenizer::open(folder, max_length)?;
        let (has, knows) = (tokenizer.vocabulary(), embedder.vocabulary);
        if has > knows {
            return Err(Error::Malformed {
                path: folder.to_path_buf(),
                problem: format!(
                    "its tokenizer has {has} tokens, but its model knows {knows}: they do not \
                     belong together"
                ),
            });
        }
        self.adopted = Some(Adopted { embedder, tokenizer });
        Ok(())
    }
}

impl Modality for TextSettings {
    const NAME: &'static str = "text";
    const SAMPLES: &'static str = "sentences";
    const INPUTS: InputKind = InputKind::Texts;
    const EXTENSIONS: &'static [&'static str] = &["txt"];

    fn adopt(&mut self, source: &Pretrained) -> Result<Origin> {
        let family = source.family();
        match &family.embedder {
            PretrainedEmbedder::Tokens(config) if family.modality == Self::NAME => {
                self.adopt_from(source.checkpoint().folder(), config.clone())?;
                Ok(Origin::Pretrained)
            }
            _ => Err(Error::Family {
                path: source.checkpoint().path().to_path_buf(),
                problem: format!(
                    "a model of the family {} for the modality {}; sentences need one for text, \
                     which brings a tokenizer along",
                    family.name, family.modality
                ),
            }),
        }
    }

    fn read(&self, input: &Input) -> Result<Tensor, Cause> {
        let tokenizer = self.tokenizer().ok_or(TextError::NoTokenizer)?;
        let ids = match input {
            Input::Text(text) => tokenizer.encode(text)?,
            Input::File(path) => {
                let contents = fs::read(path).map_err(TextError::Io)?;
                tokenizer.encode(file::decode(&contents)?)?
            }
        };
        Ok(Tensor::f_from_slice(&ids)?)
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        // What stands in a padded place is never looked at, so any token would do.
        let pad = self.tokenizer().map_or(0, Tokenizer::pad);
        let x = Tensor::pad_sequence(samples, true, pad as f64, "right");
        let lengths: Vec<_> = samples.iter().map(|sample| sample.size()[0]).collect();
        let longest = x.size()[1];
        let keep = lengths.iter().any(|&length| length < longest).then(|| {
            let places = Tensor::arange(longest, (Kind::Int64, x.device()));
            places.lt_tensor(&Tensor::from_slice(&lengths).to_device(x.device()).unsqueeze(1))
        });
        Batch { x, keep }
    }

    fn example(&self) -> Batch {
        let length = self.tokenizer().map_or(1, Tokenizer::max_length).into();
        let pad = self.tokenizer().map_or(0, Tokenizer::pad);
        let x = Tensor::full([1, length], pad, (Kind::Int64, Device::Cpu));
        Batch { keep: Some(x.ones_like().to_kind(Kind::Bool)), x }
    }

    fn embedder(&self, at: Scope<'_>, form: Form) -> Result<Box<dyn Embedder>> {
        let adopted = self.adopted.as_ref().ok_or_else(|| Error::Modality {
            context: "cannot make an embedder for sentences".into(),
            source: TextError::NoTokenizer.into(),
        })?;
        Ok(Box::new(TokenEmbedder::new(at, &adopted.embedder, form)?))
    }

    fn pretrained_embedder(&self) -> Option<PretrainedEmbedder> {
        let adopted = self.adopted.as_ref()?;
        Some(PretrainedEmbedder::Tokens(adopted.embedder.clone()))
    }

    fn publish(&self, folder: &Path) -> Result<Map<String, Value>> {
        let mut fields = Map::new();
        if let Some(tokenizer) = self.tokenizer() {
            tokenizer.publish(folder)?;
            fields.insert("pad_token_id".into(), tokenizer.pad().into());
        }
        Ok(fields)
    }

    /// Every line of a text file with something on it is a sentence.
    fn items(&self, path: &Path) -> Result<Vec<Item>> {
        let contents = fs::read(path).map_err(Error::io(path, "read"))?;
        let malformed = |problem| Error::Malformed { path: path.to_path_buf(), problem };
        let text = file::decode(&contents).map_err(|e| malformed(e.to_string()))?;
        let place = |line| Place { path: path.to_path_buf(), line: Some(line) };
        let items: Vec<_> =
            file::sentences(text).map(|(line, text)| Item::text(text, place(line))).collect();
        if items.is_empty() {
            return Err(malformed("there is no sentence in it: all lines are empty".into()));
        }
        Ok(items)
    }

    /// Beside the settings, the tokenizer.
    fn save(&self, folder: &Path) -> Result<()> {
        if let Some(tokenizer) = self.tokenizer() {
            tokenizer.save(folder)?;
        }
        write_json(&folder.join(PREPROCESSING), self)
    }

    fn open(folder: &Path) -> Result<Self> {
        let saved: Saved = read_json(&folder.join(PREPROCESSING))?;
        let embedder = saved.embedder.clone();
        let mut settings = Self::from(saved);
        if let Some(embedder) = embedder {
            settings.adopt_from(folder, embedder)?;
        }
        Ok(settings)
    }
}

/// [`TextSettings`] in a file; the tokenizer has one of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    max_length: Option<u32>,
    embedder: Option<TokenEmbedderConfig>,
}

impl From<TextSettings> for Saved {
    fn from(settings: TextSettings) -> Self {
        let TextSettings { asked, adopted } = settings;
        Self {
            max_length: adopted.as_ref().map(|a| a.tokenizer.max_length()).or(asked),
            embedder: adopted.map(|a| a.embedder),
        }
    }
}

/// Without the tokenizer there is nothing adopted yet.
impl From<Saved> for TextSettings {
    fn from(saved: Saved) -> Self {
        Self::new(saved.max_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::TOKENIZER;

    const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-bert");

    fn adopted(max_length: Option<u32>) -> Result<TextSettings> {
        let mut settings = TextSettings::new(max_length);
        settings.adopt(&Pretrained::open(TINY)?).map(|_| settings)
    }

    fn ids(settings: &TextSettings, input: &Input) -> Vec<i64> {
        Vec::try_from(settings.read(input).unwrap()).unwrap()
    }

    /// A copy of the small model with one of its files replaced.
    fn with(file: &str, contents: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors", TOKENIZER] {
            fs::copy(Path::new(TINY).join(name), folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join(file), contents).unwrap();
        folder
    }

    #[test]
    fn lengths_are_within_what_model_and_tokenizer_allow() {
        for (asked, settled) in [(None, 64), (Some(64), 64), (Some(3), 3)] {
            let settings = adopted(asked).unwrap();
            let tokenizer = settings.tokenizer().unwrap();
            assert_eq!((tokenizer.max_length(), tokenizer.pad()), (settled, 0));
            let long = ids(&settings, &Input::Text("the cat ".repeat(100)));
            assert_eq!((long.len(), long[0], long[settled as usize - 1]), (settled as usize, 2, 3));
            assert_eq!(ids(&settings, &Input::Text(String::new())), [2, 3]);
        }
        for (asked, message) in [
            (65, "--max-length: 65 tokens; the model has positions for 64"),
            (2, "--max-length: 2 tokens; the tokenizer adds 2 to every text, so choose at least 3"),
            (0, "--max-length: 0 tokens; the tokenizer adds 2 to every text, so choose at least 3"),
        ] {
            assert_eq!(adopted(Some(asked)).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_folder_without_a_fitting_tokenizer_is_refused() {
        let config = fs::read_to_string(Path::new(TINY).join("config.json")).unwrap();
        let small =
            with("config.json", &config.replace("\"vocab_size\": 176", "\"vocab_size\": 9"));
        let broken = with(TOKENIZER, "{\"version\": \"1.0\"}");
        let missing = with(TOKENIZER, "");
        fs::remove_file(missing.path().join(TOKENIZER)).unwrap();
        for (folder, problem) in [
            (&small, "its tokenizer has 176 tokens, but its model knows 9: they do not belong"),
            (&broken, "not a tokenizer that can be used ("),
            (&missing, "no tokenizer.json in this folder; it is published with the weights"),
        ] {
            let source = Pretrained::open(folder.path()).unwrap();
            let error = TextSettings::default().adopt(&source).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_file_is_one_sample_and_says_what_it_cannot_be() {
        let settings = adopted(None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let input = |contents: &[u8]| {
            let path = folder.path().join("a.txt");
            fs::write(&path, contents).unwrap();
            Input::File(path)
        };
        let expected = ids(&settings, &Input::Text("the cat sat".into()));
        assert_eq!(ids(&settings, &input("\u{FEFF}the cat\r\nsat\r\n".as_bytes())), expected);
        let error = settings.read(&input(b"the c\xE4t")).unwrap_err();
        assert!(error.to_string().starts_with("not UTF-8: line 1"), "{error}");
        let missing = Input::File(folder.path().join("b.txt"));
        assert_eq!(settings.read(&missing).unwrap_err().to_string(), "cannot read the file");
        let error = TextSettings::default().read(&Input::Text("a".into())).unwrap_err();
        assert!(error.to_string().starts_with("there is no tokenizer yet"), "{error}");
    }

    #[test]
    fn batches_are_padded_and_say_where() {
        let settings = adopted(None).unwrap();
        let [long, short] = [&[2i64, 5, 6, 3][..], &[2, 3]].map(Tensor::from_slice);
        let batch = settings.batch(&[&short, &long]);
        assert_eq!(batch.x, Tensor::from_slice2(&[[2i64, 3, 0, 0], [2, 5, 6, 3]]));
        assert_eq!(batch.x.kind(), Kind::Int64);
        let keep = Tensor::from_slice2(&[[1, 1, 0, 0], [1, 1, 1, 1]]).to_kind(Kind::Bool);
        assert_eq!(batch.keep, Some(keep));
        assert!(settings.batch(&[&long, &long]).keep.is_none());
    }

    #[test]
    fn every_line_with_something_on_it_is_an_item() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "\u{FEFF}the cat\r\n\r\nsat on\r\n").unwrap();
        let items = TextSettings::default().items(&path).unwrap();
        let found: Vec<_> =
            items.into_iter().map(|item| (item.input, item.place.line.unwrap())).collect();
        let text = |text: &str| Input::Text(text.into());
        assert_eq!(found, [(text("the cat"), 1), (text("sat on"), 3)]);
        fs::write(&path, "\n \n").unwrap();
        let error = TextSettings::default().items(&path).unwrap_err().to_string();
        assert!(error.ends_with("a.txt: there is no sentence in it: all lines are empty"));
    }

    #[test]
    fn a_run_folder_brings_back_the_same_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let settings = adopted(Some(7)).unwrap();
        settings.save(folder.path()).unwrap();
        let opened = TextSettings::open(folder.path()).unwrap();
        let text = Input::Text("the cats sat on the mat, unbelievably".into());
        assert_eq!(ids(&opened, &text), ids(&settings, &text));
        assert_eq!(ids(&opened, &text).len(), 7);
        // The tokenizer is saved as it was published.
        let file = |folder: &Path| fs::read(folder.join(TOKENIZER)).unwrap();
        assert_eq!(file(folder.path()), file(Path::new(TINY)));
        fs::remove_file(folder.path().join(TOKENIZER)).unwrap();
        assert!(TextSettings::open(folder.path()).is_err());
    }
}
