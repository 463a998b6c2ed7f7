//! The modality: from texts to token ids, and from those to batches.

use std::{borrow::Cow, path::Path};

use crosstune_core::{
    Batch, BoxError, Embedder, EmbedderConfig, Error, FeatureShape, Input, InputKind, Modality,
    Origin, Places, Pretrained, Preview, Result, Rng, Task, TokenEmbedderConfig, VarBuilder,
    Window,
    data::{Coverage, Extent},
    files::{read_json, write_json},
    modality::PREPROCESSING,
    task::WordStart,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use super::{
    reader::{Answers, Numbers, Reader, Sentences},
    saved::Saved,
};
use crate::{
    embed::{SymbolEmbedder, SymbolImage, TokenEmbedder},
    file::{self, LONGEST, TextError},
    options::{MAX_LENGTH, Units},
    published,
    symbols::Symbols,
    tokenizer::Tokenizer,
};

/// How sentences become tensors: tokenized as for the adopted text model, or split into bytes or
/// characters for a model that was not trained on text.
///
/// A sample is `[T]`, i64; a batch `[B, T]`, i64, padded to its longest sample. For a model with
/// segment embeddings, a pair is `[2, T]`: token ids and segment ids; a batch `[B, 2, T]`. Where words
/// are labelled, a sample is `[2, T]`, however long: token ids, and where words begin.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(into = "Saved", from = "Saved")]
pub struct TextSettings {
    /// The longest text, in tokens, if that option is given.
    pub(super) asked: Option<u32>,
    /// The units without a tokenizer, likewise.
    pub(super) units: Option<Units>,
    pub(super) sentences: Sentences,
    /// What a model is asked about.
    pub(super) answers: Answers,
    /// Whether training texts are longer than what a model takes.
    pub(super) has_long: bool,
    pub(super) reader: Reader,
    pub(super) numbers: Numbers,
}

/// The most characters of a preview.
const SHOWN: usize = 400;

impl TextSettings {
    /// Settings for texts of at most `max_length` tokens, special tokens included. Left open: 256
    /// or what a survey finds to be enough, at most the number of positions of the adopted model.
    pub fn new(max_length: Option<u32>) -> Self {
        Self { asked: max_length, ..Self::default() }
    }

    /// The same with these units, for a source that was not trained on text. Left open: bytes.
    pub fn with_units(self, units: Option<Units>) -> Self {
        Self { units, ..self }
    }

    /// The adopted model's tokenizer; `None` if it was not trained on text.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match &self.reader {
            Reader::Tokens { tokenizer, .. } => Some(tokenizer),
            Reader::None | Reader::Symbols(_) => None,
        }
    }

    /// The bytes or characters that texts are split into, if there is no tokenizer.
    pub fn symbols(&self) -> Option<&Symbols> {
        match &self.reader {
            Reader::Symbols(symbols) => Some(symbols),
            Reader::None | Reader::Tokens { .. } => None,
        }
    }

    /// Adopts the tokenizer in a folder and the embedder that belongs to it.
    pub(super) fn adopt_from(
        &mut self,
        folder: &Path,
        embedder: TokenEmbedderConfig,
        pad: Option<i64>,
    ) -> Result<()> {
        let tokenizer = published::tokenizer(folder, &embedder, self.asked, pad)?;
        self.reader = Reader::Tokens { embedder, tokenizer };
        Ok(())
    }

    /// One text as numbers.
    fn single(&self, text: &str) -> Result<Tensor, BoxError> {
        short(text)?;
        let ids = match &self.reader {
            Reader::None => return Err(TextError::NoTokenizer.into()),
            Reader::Tokens { tokenizer, .. } => tokenizer.encode(text)?,
            Reader::Symbols(symbols) => symbols.encode(text),
        };
        Ok(Tensor::f_from_slice(&ids)?)
    }

    /// Two texts as numbers.
    fn pair(&self, [first, second]: &[String; 2]) -> Result<Tensor, BoxError> {
        short(first)?;
        short(second)?;
        let ids = match &self.reader {
            Reader::None => return Err(TextError::NoTokenizer.into()),
            Reader::Symbols(symbols) => symbols.encode_pair(first, second),
            Reader::Tokens { embedder, tokenizer } => {
                let (mut ids, segments) = tokenizer.encode_pair(first, second)?;
                if embedder.segments > segments.iter().copied().max().unwrap_or(0).max(1) {
                    ids.extend(segments);
                    return Ok(Tensor::f_from_slice(&ids)?.f_view([2, -1])?);
                }
                ids
            }
        };
        Ok(Tensor::f_from_slice(&ids)?)
    }

    /// The padding id. Padding is masked, so any number would do.
    pub(super) fn pad(&self) -> i64 {
        self.tokenizer().map_or(0, Tokenizer::pad)
    }

    /// Whether batches have segment ids.
    fn tells_segments(&self) -> bool {
        match &self.reader {
            Reader::Tokens { embedder, .. } => {
                self.sentences == Sentences::Pair && embedder.segments > 1
            }
            Reader::None | Reader::Symbols(_) => false,
        }
    }
}

pub(super) fn short(text: &str) -> Result<(), TextError> {
    if text.len() as u64 > LONGEST { Err(TextError::Long) } else { Ok(()) }
}

/// The texts of an input: one, or two of a pair.
pub(super) fn texts(input: &Input) -> Result<Vec<Cow<'_, str>>, TextError> {
    Ok(match input {
        Input::Text(text) => vec![text.into()],
        Input::Pair([first, second]) => vec![first.into(), second.into()],
        Input::Words(words) => vec![words.join(" ").into()],
        Input::Bytes { bytes, .. } => vec![file::decode(bytes)?.into()],
        Input::File(path) => vec![file::decode(&file::read(path)?)?.to_string().into()],
        Input::Stored(_) => {
            let loaded = input.loaded()?;
            texts(&loaded)?.into_iter().map(|text| text.into_owned().into()).collect()
        }
    })
}

impl Modality for TextSettings {
    const NAME: &'static str = "text";
    const SAMPLES: &'static str = "sentences";
    const INPUTS: InputKind = InputKind::Texts;
    const EXTENSIONS: &'static [&'static str] = &["txt"];
    const PEFT_TASK: Option<&'static str> = Some("SEQ_CLS");
    const SIZE: &'static [&'static str] = &["length, characters"];
    const EXTENT: &'static str = "tokens";

    fn adopt(&mut self, source: &Pretrained) -> Result<Origin> {
        if let Some(run) = source.run_for(Self::NAME) {
            return self.take_over(run);
        }
        let family = source.config();
        let foreign = family.modality != Self::NAME;
        match &family.embedder {
            EmbedderConfig::Tokens(config) if !foreign => {
                self.refuse_units()?;
                self.adopt_from(source.checkpoint().folder(), config.clone(), None)?;
                Ok(Origin::Pretrained)
            }
            _ => {
                let is_map = matches!(family.trunk.accepts(), FeatureShape::FeatureMap { .. });
                let symbols = Symbols::new(self.units.unwrap_or_default(), self.asked)?;
                self.reader = Reader::Symbols(symbols.with_image(is_map));
                Ok(Origin::Fresh)
            }
        }
    }

    fn survey(&mut self, train: &[&Input]) {
        self.sentences = match train.iter().any(|input| matches!(input, Input::Pair(_))) {
            true => Sentences::Pair,
            false => Sentences::Single,
        };
        if let (Reader::Symbols(symbols), Numbers::Surveyed) = (&mut self.reader, self.numbers) {
            let texts: Vec<_> = train.iter().filter_map(|input| texts(input).ok()).collect();
            symbols.survey(texts.iter().flatten().map(|text| &**text));
        }
        self.choose_length(train);
        self.fit_words(train);
    }

    fn set_task(&mut self, task: Task) -> Result<()> {
        self.answers = match task {
            Task::Tagging => Answers::Words,
            _ => Answers::Texts,
        };
        Ok(())
    }

    fn read(&self, input: &Input) -> Result<Tensor, BoxError> {
        match input {
            _ if self.answers == Answers::Words => self.read_words(input),
            Input::Pair(pair) => self.pair(pair),
            _ if self.sentences == Sentences::Pair => Err(TextError::Single.into()),
            Input::Text(text) => self.single(text),
            _ => self.single(&texts(input)?.concat()),
        }
    }

    fn augment(&self, kept: &Tensor, rng: &mut Rng) -> Tensor {
        self.one_window(kept, rng)
    }

    fn augments(&self) -> bool {
        self.answers == Answers::Words && self.has_long
    }

    fn windows(&self, sample: &Tensor) -> Vec<Window> {
        self.word_windows(sample)
    }

    fn words(&self, sample: &Tensor) -> Vec<WordStart> {
        self.word_starts(sample)
    }

    fn places(&self, input: &Input, _positions: usize) -> Result<Places, BoxError> {
        self.word_places(input)
    }

    fn verify(&self, input: &Input) -> Result<(), BoxError> {
        // Without a model there is no tokenizer yet, but the text is there.
        Ok(texts(input).map(drop)?)
    }

    fn size(&self, input: &Input) -> Result<Vec<f64>, BoxError> {
        let count: usize = texts(input)?.iter().map(|text| text.chars().count()).sum();
        Ok(vec![count as f64])
    }

    fn extent(&self, input: &Input) -> Result<Option<Extent>, BoxError> {
        Ok(self.length(input)?.zip(self.reader.most()).map(|(whole, most)| {
            let [whole, at_once] = [whole as f64, f64::from(most)];
            // Of words, windows take all.
            let taken = if self.answers == Answers::Words { whole } else { whole.min(at_once) };
            Extent { whole, taken, at_once }
        }))
    }

    fn take_more(&self, coverage: &Coverage) -> Option<String> {
        let (longest, room) = (coverage.longest as u32, self.reader.room());
        match (room.min(longest), self.reader.most()) {
            (most, _) if most == longest => Some(format!("{MAX_LENGTH} {most} takes all")),
            (most, Some(now)) if most > now => {
                Some(format!("{MAX_LENGTH} {most} takes all that the model has positions for"))
            }
            _ => None,
        }
    }

    fn preview(&self, input: &Input) -> Result<Preview, BoxError> {
        let text = texts(input)?.join("\t");
        let end = text.char_indices().nth(SHOWN).map(|(at, _)| at);
        Ok(Preview::Text(end.map_or(text.clone(), |end| format!("{}…", &text[..end]))))
    }

    fn units(&self) -> Option<&dyn crosstune_core::Units> {
        Some(self)
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        if self.answers == Answers::Words {
            return self.batch_of_words(samples);
        }
        let pad =
            |rows: &[Tensor], with: i64| Tensor::pad_sequence(rows, true, with as f64, "right");
        let lengths: Vec<_> = samples.iter().filter_map(|x| x.size().last().copied()).collect();
        let x = if samples.iter().any(|sample| sample.dim() == 2) {
            let row = |at: i64| {
                move |sample: &&Tensor| match (sample.dim(), at) {
                    (2, _) => sample.get(at),
                    (_, 0) => sample.shallow_clone(),
                    _ => sample.zeros_like(),
                }
            };
            let rows = |at| samples.iter().map(row(at)).collect::<Vec<_>>();
            Tensor::stack(&[pad(&rows(0), self.pad()), pad(&rows(1), 0)], 1)
        } else {
            Tensor::pad_sequence(samples, true, self.pad() as f64, "right")
        };
        let x = self.filled(x);
        let longest = x.size().last().copied().unwrap_or_default();
        let mask = lengths.iter().any(|&length| length < longest).then(|| {
            let positions = Tensor::arange(longest, (Kind::Int64, x.device()));
            positions.lt_tensor(&Tensor::from_slice(&lengths).to_device(x.device()).unsqueeze(1))
        });
        Batch { x, attention_mask: mask }
    }

    fn example(&self) -> Batch {
        let length = self.reader.most().unwrap_or(1);
        let ids = Tensor::full([1, i64::from(length)], self.pad(), (Kind::Int64, Device::Cpu));
        let mask = Some(ids.ones_like().to_kind(Kind::Bool));
        let x = match self.tells_segments() {
            true => Tensor::stack(&[ids.shallow_clone(), ids.zeros_like()], 1),
            false => ids,
        };
        Batch { x, attention_mask: mask }
    }

    fn embedder(&self, vb: VarBuilder<'_>, form: FeatureShape) -> Result<Box<dyn Embedder>> {
        Ok(match &self.reader {
            Reader::Tokens { embedder, .. } => Box::new(TokenEmbedder::new(vb, embedder, form)?),
            Reader::Symbols(symbols) => {
                let (count, longest) = (symbols.count(), symbols.longest().into());
                match form {
                    FeatureShape::Sequence { .. } => {
                        Box::new(SymbolEmbedder::new(&vb, count, longest, form)?)
                    }
                    FeatureShape::FeatureMap { .. } => {
                        Box::new(SymbolImage::new(&vb, count, longest, form)?)
                    }
                }
            }
            Reader::None => {
                return Err(Error::Modality {
                    context: "cannot make an embedder for sentences".into(),
                    source: TextError::NoTokenizer.into(),
                });
            }
        })
    }

    fn pretrained_embedder(&self) -> Option<EmbedderConfig> {
        match &self.reader {
            Reader::Tokens { embedder, .. } => Some(EmbedderConfig::Tokens(embedder.clone())),
            Reader::None | Reader::Symbols(_) => None,
        }
    }

    fn save_pretrained(&self, folder: &Path) -> Result<Map<String, Value>> {
        let mut fields = Map::new();
        if let Reader::Tokens { embedder, tokenizer } = &self.reader {
            tokenizer.save_pretrained(folder, embedder.segments)?;
            fields.insert("pad_token_id".into(), tokenizer.pad().into());
        }
        Ok(fields)
    }

    fn takes_pairs(&self) -> bool {
        self.sentences == Sentences::Pair
    }

    fn share(&mut self, other: &Self) {
        if let (Reader::Tokens { tokenizer, .. }, Some(theirs)) =
            (&mut self.reader, other.tokenizer())
        {
            tokenizer.share(theirs);
        }
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
        let (embedder, pad) = (saved.embedder.clone(), saved.pad);
        let mut settings = Self::from(saved);
        if let Some(embedder) = embedder {
            settings.adopt_from(folder, embedder, pad)?;
        }
        Ok(settings)
    }
}
