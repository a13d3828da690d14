//! Words as a shell that Airflow starts reads them.

/// Characters that mean themselves to a shell and to Jinja.
const PLAIN: &str = "-_./:=@%+,";

/// The words as one line. Airflow renders a command as a Jinja template before a shell reads it, so neither finds
/// anything in a word that it could take for its own.
pub fn command_line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str(r"'\''"),
            // Two words without a space are one to the shell, and no opening of Jinja's.
            '{' => quoted.push_str("{''"),
            _ => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_themselves_to_the_shell_and_to_jinja() {
        let words = ["--select", "source:a.b", "", "it's", "$(x) `y`", "{{ ds }}{%", "new\nline"];
        insta::assert_snapshot!(command_line(words), @r"
        --select source:a.b '' 'it'\''s' '$(x) `y`' '{''{'' ds }}{''%' 'new
        line'
        ");
        let printed = std::process::Command::new("bash")
            .args(["-c", &format!(r"printf '%s\0' {}", command_line(words))])
            .output()
            .unwrap();
        let read: Vec<&[u8]> = printed.stdout.strip_suffix(b"\0").unwrap().split(|byte| *byte == 0).collect();
        assert_eq!(read, words.map(str::as_bytes));
    }
}
