//! Estimates the size of a JSON text's tree before it is built.

use memchr::memchr2;

/// The maximum number of nodes. No body that an application would change has more. A tree of this
/// size takes 20 to 30 MB.
const MOST_NODES: usize = 250_000;

/// The map of an object takes as much memory as this many values.
const OBJECT: usize = 8;

/// Whether a tree of this JSON text may be built.
///
/// A few hundred kilobytes of `[{},{},…]` would take a hundred times as much memory.
pub(crate) fn may_become_a_tree(json: &str) -> bool {
    let bytes = json.as_bytes();
    let (mut at, mut nodes) = (0, 1);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' => nodes += OBJECT,
            b',' | b'[' => nodes += 1,
            _ => {}
        }
        if nodes > MOST_NODES {
            return false;
        }
    }
    true
}

/// The position after the closing quote of the JSON string whose inside begins at `at`.
pub(crate) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(next) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += next;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_may_become_a_tree_and_many_small_values_may_not() {
        let list = |element: &str, count| format!("[{}]", vec![element; count].join(","));
        let text = format!(r#"{{"a":"{}"}}"#, r#"{[,\"\\"#.repeat(1_000_000));
        assert!(may_become_a_tree(&text), "what stands in a string is no node");
        assert!(may_become_a_tree(&list("0", 200_000)));
        assert!(!may_become_a_tree(&list("0", 250_001)));
        assert!(may_become_a_tree(&list(r#"{"a":1}"#, 25_000)));
        assert!(!may_become_a_tree(&list("{}", 30_000)));
        assert!(!may_become_a_tree(&"[".repeat(250_001)));
    }
}
