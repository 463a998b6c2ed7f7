//! What columns of tables are called.

/// Of files.
pub(super) const FILE_NAMES: &[&str] =
    &["path", "file", "file_name", "filename", "image", "img", "audio", "picture", "recording"];

/// Of texts, the first of two if there are pairs.
pub(super) const TEXT_NAMES: &[&str] =
    &["text", "sentence", "sentence1", "premise", "text1", "text_a", "question1"];

/// Of second sentences.
pub(super) const PAIR_NAMES: &[&str] =
    &["sentence2", "hypothesis", "text2", "text_b", "text_pair", "question2"];

/// Of the one label of a sample.
pub(super) const LABEL_NAMES: &[&str] = &["label", "class", "category", "target"];

/// Of its labels.
pub(super) const LABELS_NAMES: &[&str] = &["labels", "tags", "label", "classes", "categories"];

/// Of its value.
pub(super) const VALUE_NAMES: &[&str] = &["label", "target", "value", "score"];

/// Of the text that is spoken or written in it.
pub(super) const TRANSCRIPT_NAMES: &[&str] =
    &["text", "sentence", "transcription", "transcript", "normalized_text"];

/// Of the text that is to be written for a text.
pub(super) const WRITTEN_NAMES: &[&str] =
    &["target", "transcription", "transcript", "normalized_text", "output", "label"];

/// Of who speaks or writes in a sample.
pub(super) const GROUP_NAMES: &[&str] =
    &["client_id", "speaker", "speaker_id", "speakerid", "reader_id", "reader", "writer_id"];

/// Of its words.
pub(super) const WORDS_NAMES: &[&str] = &["tokens", "words"];

/// Of the labels of its words.
pub(super) const TAGS_NAMES: &[&str] = &["ner_tags", "tags", "labels", "pos_tags", "chunk_tags"];

/// Of its split.
pub(super) const SPLIT_NAME: &str = "split";

/// What a column is called that only numbers the rows; pandas' has no name.
pub(super) const INDEX_NAMES: &[&str] =
    &["", "index", "idx", "id", "unnamed: 0", "__index_level_0__"];
