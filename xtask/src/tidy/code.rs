//! Rust source with everything but the code blanked out, so that a word in a comment or a string is no finding.
//! A scanner of a page, not a parser: it knows comments, strings and character literals, nothing else.

/// `source` with comments, strings and character literals replaced by spaces; every line keeps its number.
pub(super) fn only_code(source: &str) -> String {
    let mut scanner = Scanner { rest: source, last: ' ', out: String::with_capacity(source.len()) };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.out
}

/// The part of `code` before the unit tests, which the house style puts last.
pub(super) fn before_tests(code: &str) -> &str {
    code.find("#[cfg(test)]").map_or(code, |tests| &code[..tests])
}

/// Where `word` stands in `code` as a whole word, or as the suffix of a number.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(|c| is_word(c) && !c.is_numeric()) && !after.is_some_and(is_word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Scanner<'a> {
    rest: &'a str,
    /// The last character of code: tells the `r` of `r"..."` from the `r` of `four"`.
    last: char,
    out: String,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let length = self.length_of_no_code();
        if length > 0 {
            self.blank(length);
        } else if let Some(c) = self.rest.chars().next() {
            self.last = c;
            self.out.push(c);
            self.rest = &self.rest[c.len_utf8()..];
        }
    }

    fn length_of_no_code(&self) -> usize {
        let rest = self.rest;
        if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if rest.starts_with('"') {
            quoted(rest, '"')
        } else if rest.starts_with('\'') {
            character(rest)
        } else if is_word(self.last) {
            0
        } else {
            raw_string(rest)
        }
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.last = ' ';
        self.rest = rest;
    }
}

/// The length of the comment that `text` opens with; comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the literal that `text` opens with, up to the same `quote` with no backslash before it.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of the character literal that `text` opens with, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// The length of the raw string (also `br` and `cr`) that `text` opens with, or 0.
fn raw_string(text: &str) -> usize {
    let open = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let Some(open) = open.strip_prefix('r') else { return 0 };
    let hashes = open.len() - open.trim_start_matches('#').len();
    if !open[hashes..].starts_with('"') {
        return 0;
    }
    let body = text.len() - open.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    text[body..].find(&close).map_or(text.len(), |end| body + end + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_what_is_no_code() {
        check("a // f64\nb", "a\nb");
        check("/// f64\nb", "\nb");
        check("a /* x /* f64 */ y */ b", "ab");
        check("a /* f64, never closed", "a");
        check(r#"a("f64 \" f64", b)"#, "a(,b)");
        check("\"two\nf64\" a", "\na");
        check(r##"r#"a " f64"# b"##, "b");
        check(r#"br"f64\" b"#, "b");
        check(r#"four"f64" b"#, "fourb");
        check("'\"' f64 '\"'", "f64");
        check(r"'\'' f64", "f64");
        check("fn a<'f64>(x: &'f64 str)", "fna<'f64>(x:&'f64str)");
        check("r#type b", "r#typeb");
        check("\"钱 f64\" b", "b");
        check("'钱' b", "b");

        /// Leaves out the blanks, of which there must be one for each character that is gone.
        #[track_caller]
        fn check(source: &str, want: &str) {
            let code = only_code(source);
            assert_eq!(code.replace(' ', ""), want, "{source}");
            assert_eq!(code.chars().count(), source.chars().count(), "{source}");
        }
    }

    #[test]
    fn finds_whole_words_only() {
        check("x: f64", &[3]);
        check("f64 f64", &[0, 4]);
        check("3f64", &[1]);
        check("as_f64 f640 f64s xf64", &[]);

        #[track_caller]
        fn check(code: &str, want: &[usize]) {
            assert_eq!(words(code, "f64").collect::<Vec<_>>(), want, "{code}");
        }
    }

    #[test]
    fn tests_stand_last() {
        assert_eq!(before_tests("a();\n#[cfg(test)]\nmod tests {}"), "a();\n");
        assert_eq!(before_tests("a();"), "a();");
    }
}
