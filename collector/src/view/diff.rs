//! Compares two texts word by word, with a limit of its cost.

use serde::Serialize;

use crate::text::visible;

/// The most bytes and words of a text, and the most differences, that are compared.
const MOST_BYTES: usize = 1 << 20;
const MOST_WORDS: usize = 20_000;
const MOST_DIFFERENCES: usize = 600;

/// A piece of both texts or of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Piece {
    op: Op,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Op {
    Same,
    Removed,
    Added,
}

/// The pieces in order; `None` if the texts are too long or too different.
pub(crate) fn words(old: &str, new: &str) -> Option<Vec<Piece>> {
    let (old, new) = (split(old)?, split(new)?);
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (same, old) = old.split_at(start);
    let (_, new) = new.split_at(start);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, rest) = old.split_at(old.len() - end);
    let (new, _) = new.split_at(new.len() - end);
    let mut pieces = Vec::new();
    same.iter().for_each(|word| push(&mut pieces, Op::Same, word));
    for (op, word) in script(old, new)? {
        push(&mut pieces, op, word);
    }
    rest.iter().for_each(|word| push(&mut pieces, Op::Same, word));
    Some(pieces.into_iter().map(|(op, text)| Piece { op, text: visible(&text).into_owned() }).collect())
}

fn push(pieces: &mut Vec<(Op, String)>, op: Op, word: &str) {
    match pieces.last_mut() {
        Some((last, text)) if *last == op => text.push_str(word),
        _ => pieces.push((op, word.to_owned())),
    }
}

/// Words, each with the space behind it.
fn split(text: &str) -> Option<Vec<&str>> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let words: Vec<_> = text.split_inclusive(char::is_whitespace).take(MOST_WORDS + 1).collect();
    (words.len() <= MOST_WORDS).then_some(words)
}

/// The shortest way from one list of words to the other (Myers).
fn script<'a>(old: &[&'a str], new: &[&'a str]) -> Option<Vec<(Op, &'a str)>> {
    let (n, m) = (isize::try_from(old.len()).ok()?, isize::try_from(new.len()).ok()?);
    let at = |list: &[&'a str], index: isize| {
        usize::try_from(index).ok().and_then(|index| list.get(index).copied())
    };
    // The furthest position on each diagonal, and what it was before each step.
    let size = 2 * MOST_DIFFERENCES + 3;
    let middle = isize::try_from(MOST_DIFFERENCES + 1).ok()?;
    let mut furthest = vec![0isize; size];
    let get = |furthest: &[isize], diagonal: isize| {
        usize::try_from(diagonal + middle).ok().and_then(|index| furthest.get(index).copied()).unwrap_or(-1)
    };
    let mut steps: Vec<Vec<isize>> = Vec::new();
    let is_down = |furthest: &[isize], diagonal: isize, count: isize| {
        diagonal == -count || (diagonal != count && get(furthest, diagonal - 1) < get(furthest, diagonal + 1))
    };
    let mut found = false;
    for count in 0..=isize::try_from(MOST_DIFFERENCES).ok()? {
        // Only the diagonals in use, which keeps the memory of all steps small.
        let used = usize::try_from(middle - count - 1).ok()?..=usize::try_from(middle + count + 1).ok()?;
        steps.push(furthest.get(used)?.to_vec());
        let mut diagonal = -count;
        while diagonal <= count {
            let mut x = if is_down(&furthest, diagonal, count) {
                get(&furthest, diagonal + 1)
            } else {
                get(&furthest, diagonal - 1) + 1
            };
            if count == 0 {
                x = 0;
            }
            while x < n && x - diagonal < m && at(old, x) == at(new, x - diagonal) {
                x += 1;
            }
            *furthest.get_mut(usize::try_from(diagonal + middle).ok()?)? = x;
            if x >= n && x - diagonal >= m {
                found = true;
                break;
            }
            diagonal += 2;
        }
        if found {
            break;
        }
    }
    if !found {
        return None;
    }
    let mut out = Vec::new();
    let (mut x, mut y) = (n, m);
    for (count, before) in steps.iter().enumerate().rev() {
        let count = isize::try_from(count).ok()?;
        let get = |diagonal: isize| {
            usize::try_from(diagonal + count + 1)
                .ok()
                .and_then(|index| before.get(index).copied())
                .unwrap_or(-1)
        };
        let diagonal = x - y;
        let is_down = diagonal == -count || (diagonal != count && get(diagonal - 1) < get(diagonal + 1));
        let from = if is_down { diagonal + 1 } else { diagonal - 1 };
        let (start_x, start_y) = if count == 0 { (0, 0) } else { (get(from), get(from) - from) };
        while x > start_x
            && y > start_y
            && (count == 0 || x > start_x + isize::from(!is_down))
            && (count == 0 || y > start_y + isize::from(is_down))
        {
            (x, y) = (x - 1, y - 1);
            out.push((Op::Same, at(old, x)?));
        }
        if count > 0 {
            if is_down {
                y -= 1;
                out.push((Op::Added, at(new, y)?));
            } else {
                x -= 1;
                out.push((Op::Removed, at(old, x)?));
            }
        }
    }
    out.reverse();
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(old: &str, new: &str) -> String {
        let mark = |piece: Piece| match piece.op {
            Op::Same => piece.text,
            Op::Removed => format!("[-{}]", piece.text),
            Op::Added => format!("[+{}]", piece.text),
        };
        words(old, new).unwrap().into_iter().map(mark).collect()
    }

    #[test]
    fn words_that_differ_are_marked() {
        assert_eq!(
            marked("be very kind", "be kind always"),
            "be [-very ][-kind][+kind always]".replace("[-very ][-kind]", "[-very kind]")
        );
        assert_eq!(marked("a b c ", "a x c "), "a [-b ][+x ]c ");
        assert_eq!(marked("", "a"), "[+a]");
        assert_eq!(marked("same", "same"), "same");
    }

    #[test]
    fn a_comparison_that_would_cost_too_much_is_not_made() {
        let (old, new) = ("a ".repeat(10_000), "b ".repeat(10_000));
        assert_eq!(words(&old, &new), None);
        assert_eq!(words(&"a ".repeat(30_000), ""), None);
        assert_eq!(words(&"a".repeat(MOST_BYTES + 1), ""), None);
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_the_pieces(old in "[ab ]{0,40}", new in "[ab ]{0,40}") {
            let pieces = words(&old, &new).unwrap();
            let read = |without: Op| pieces.iter().filter(|piece| piece.op != without).map(|piece| &*piece.text).collect::<String>();
            prop_assert_eq!(read(Op::Added), old);
            prop_assert_eq!(read(Op::Removed), new);
        }
    }
}
