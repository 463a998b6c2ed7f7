//! SentencePiece's models (Kudo and Richardson 2018): the pieces and settings in the protocol buffer
//! that its trainer writes, `sentencepiece_model.proto`.

use std::path::Path;

use crosstune_core::{Error, Result, files};

use super::bounds::{MOST, check_charsmap};

/// The most pieces, and the most bytes of one: the largest published models have a quarter million,
/// of at most a hundred bytes.
const MOST_PIECES: usize = 1 << 20;
const LONGEST_PIECE: usize = 512;

/// A model.
pub(super) struct SentencePiece {
    /// By their numbers.
    pub(super) pieces: Vec<Piece>,
    pub(super) algorithm: Algorithm,
    /// The number and the text of the piece for what is unknown.
    pub(super) unknown: usize,
    pub(super) unknown_piece: String,
    /// Whether what is unknown is split into bytes, which are pieces.
    pub(super) byte_fallback: bool,
    /// SentencePiece's table of replacements, checked; empty if there is none.
    pub(super) charsmap: Vec<u8>,
}

/// A part of words.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: PieceKind,
}

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// A control symbol, which no text has.
    Control,
    /// One that is never split or merged.
    UserDefined,
    /// Any other: of words, of bytes, unknown, unused.
    Other,
}

/// How a text is split into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The most probable pieces (Kudo 2018).
    Unigram,
    /// Pieces merged by rank (Sennrich et al. 2016).
    Bpe,
}

impl SentencePiece {
    /// Reads a model.
    ///
    /// # Errors
    /// If it is none, or asks for what is not built.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = files::read(path, MOST)?;
        Self::parse(&file).map_err(|problem| Error::Malformed {
            path: path.to_path_buf(),
            problem: match is_tiktoken(&file) {
                false => format!("not a SentencePiece model that can be used ({problem})"),
                true => "a list of tokens for tiktoken, which is read from its tokenizer.json \
                         alone: load it with transformers and save it"
                    .into(),
            },
        })
    }

    fn parse(file: &[u8]) -> Result<Self, String> {
        let mut model = Self {
            pieces: vec![],
            algorithm: Algorithm::Unigram,
            unknown: 0,
            unknown_piece: "<unk>".into(),
            byte_fallback: false,
            charsmap: vec![],
        };
        for field in fields(file) {
            match field? {
                (1, Value::Bytes(piece)) => model.add_piece(piece)?,
                (2, Value::Bytes(trainer)) => model.take_trainer(trainer)?,
                (3, Value::Bytes(normalizer)) => {
                    for field in fields(normalizer) {
                        if let (2, Value::Bytes(charsmap)) = field? {
                            model.charsmap = charsmap.to_vec();
                        }
                    }
                }
                _ => {}
            }
        }
        if !model.charsmap.is_empty() {
            check_charsmap(&model.charsmap)?;
        }
        match (model.pieces.len(), model.unknown) {
            (0, _) => Err("it has no pieces".into()),
            (count, unknown) if unknown >= count => {
                Err(format!("its unknown piece is number {unknown}, but it has {count}"))
            }
            _ => Ok(model),
        }
    }

    fn add_piece(&mut self, message: &[u8]) -> Result<(), String> {
        let number = self.pieces.len();
        if number == MOST_PIECES {
            return Err(format!("more than {MOST_PIECES} pieces"));
        }
        let mut piece = Piece { text: String::new(), score: 0., kind: PieceKind::Other };
        for field in fields(message) {
            match field? {
                (1, Value::Bytes(bytes)) => piece.text = text(bytes, number)?,
                (2, Value::Fixed(bits)) => piece.score = f32::from_bits(bits),
                (3, Value::Number(3)) => piece.kind = PieceKind::Control,
                (3, Value::Number(4)) => piece.kind = PieceKind::UserDefined,
                _ => {}
            }
        }
        let length = piece.text.len();
        if !(1..=LONGEST_PIECE).contains(&length) {
            return Err(format!(
                "piece {number} has {length} bytes, expected 1 to {LONGEST_PIECE}"
            ));
        }
        if !piece.score.is_finite() {
            return Err(format!("the score of piece {number} is {}", piece.score));
        }
        self.pieces.push(piece);
        Ok(())
    }

    fn take_trainer(&mut self, message: &[u8]) -> Result<(), String> {
        for field in fields(message) {
            match field? {
                (3, Value::Number(1)) => self.algorithm = Algorithm::Unigram,
                (3, Value::Number(2)) => self.algorithm = Algorithm::Bpe,
                (3, Value::Number(3)) => return Err("its model_type is WORD".into()),
                (3, Value::Number(4)) => return Err("its model_type is CHAR".into()),
                (3, Value::Number(other)) => return Err(format!("its model_type is {other}")),
                (24, Value::Number(1)) => {
                    return Err("it has treat_whitespace_as_suffix, which is not built".into());
                }
                (35, Value::Number(number)) => self.byte_fallback = number != 0,
                (40, Value::Number(number)) => {
                    self.unknown = usize::try_from(number).unwrap_or(usize::MAX);
                }
                (45, Value::Bytes(bytes)) => self.unknown_piece = text(bytes, self.unknown)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8], number: usize) -> Result<String, String> {
    let text = str::from_utf8(bytes).map_err(|_| format!("piece {number} is not UTF-8"))?;
    Ok(text.to_string())
}

/// Whether a file has lines of a token in base64 and its rank.
fn is_tiktoken(file: &[u8]) -> bool {
    let line = file.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    let base64 = |c: &u8| c.is_ascii_alphanumeric() || b"+/=".contains(c);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(token), Some(rank), None) => {
            let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
            !token.is_empty() && token.iter().all(base64) && digits(rank)
        }
        _ => false,
    }
}

/// What a field of a message holds, by its wire type.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed(u32),
    /// Eight bytes, which nothing here has.
    Long,
}

/// The fields of a message, each with its number, up to the first that is broken.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>), String>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let read = field(rest);
        rest = read.as_ref().map_or(&[], |(_, after)| *after);
        Some(read.map(|(field, _)| field))
    })
}

/// The first field, and what comes after it.
#[allow(clippy::type_complexity)]
fn field(bytes: &[u8]) -> Result<((u64, Value<'_>), &[u8]), String> {
    let cut = || "it is cut off".to_string();
    let (tag, rest) = varint(bytes)?;
    let (value, rest) = match tag & 7 {
        0 => {
            let (number, rest) = varint(rest)?;
            (Value::Number(number), rest)
        }
        1 => (Value::Long, rest.get(8..).ok_or_else(cut)?),
        2 => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let (bytes, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
            (Value::Bytes(bytes), rest)
        }
        5 => {
            let (bytes, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            (Value::Fixed(u32::from_le_bytes(*bytes)), rest)
        }
        wire => return Err(format!("a field of wire type {wire}")),
    };
    Ok(((tag >> 3, value), rest))
}

/// A number of seven bits a byte, the lowest first.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), String> {
    let mut number = 0;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((number, &bytes[i + 1..]));
        }
    }
    Err("it is cut off".into())
}
