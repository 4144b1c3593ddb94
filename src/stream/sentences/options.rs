//! How a text is cut into sentences, and what a sentence is.

/// How a text is cut into sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct SentenceOptions {
    /// BCP 47 tag of the text's language, where it is known: for ordinal numbers (`de`: "am 3. Oktober") and the Greek
    /// question mark. The text itself decides everything else.
    pub locale: String,
    /// UTF-16 units that a sentence has at least; a shorter one goes with the next. 1.
    pub min_length: usize,
    /// UTF-16 units that a sentence has at most: a longer one is cut at a clause, at a space, or anywhere but within a
    /// character and its marks. 500.
    pub max_length: usize,
    /// The first sentence may be cut at a clause, so that speech can begin earlier.
    pub eager: bool,
    /// Milliseconds without new text after which a sentence is given out that only the next word could confirm. 250;
    /// `None` waits for the word.
    pub quiet: Option<f64>,
    /// Leave Markdown's marks out of the text, and blocks of code altogether.
    pub strip_markdown: bool,
}

impl Default for SentenceOptions {
    fn default() -> Self {
        SentenceOptions {
            locale: String::new(),
            min_length: 1,
            max_length: 500,
            eager: false,
            quiet: Some(250.0),
            strip_markdown: false,
        }
    }
}

/// A sentence, and where in the text it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// As it stands in the text; without Markdown where that is wanted. Blank only where a text ends in white space.
    pub text: &'a str,
    /// Where it starts, in UTF-16 units from the start of the text. The end of the one before.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
}
