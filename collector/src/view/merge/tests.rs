use proptest::prelude::*;

use super::*;

/// A step from letters: capital letters are instructions, and the answer stands behind `>`.
fn steps(texts: &[&str]) -> Vec<Step> {
    let step = |text: &&str| {
        let (asked, answers) = text.split_once('>').unwrap_or((text, ""));
        let numbers = |text: &str| text.chars().map(u32::from).collect::<Vec<_>>();
        Step {
            system: asked.chars().take_while(|letter| letter.is_uppercase()).count(),
            messages: numbers(asked),
            answers: answers.split('|').filter(|answer| !answer.is_empty()).map(numbers).collect(),
            previous: None,
        }
    };
    texts.iter().map(step).collect()
}

fn shown(texts: &[&str]) -> Vec<String> {
    let steps = steps(texts);
    let line = |(place, step): (Place, &Step)| {
        let rest: String =
            step.messages[place.folded..].iter().filter_map(|code| char::from_u32(*code)).collect();
        let parent = place.parent.map_or("-".to_owned(), |parent| parent.to_string());
        format!("{:?} {parent} {} {rest}", place.relation, place.thread).to_lowercase()
    };
    merge(&steps).into_iter().zip(&steps).map(line).collect()
}

#[test]
fn a_history_that_is_sent_again_is_shown_once() {
    assert_eq!(
        shown(&["Sa>1", "Sa1b>2", "Sa1b2c>3"]),
        ["start - 0 sa", "continued 0 0 b", "continued 1 0 c"]
    );
}

#[test]
fn a_question_asked_twice_appears_twice() {
    assert_eq!(shown(&["a>1", "a1a>1", "a1a1a>1"]), ["start - 0 a", "continued 0 0 a", "continued 1 0 a"]);
    assert_eq!(shown(&["Sa>1", "Sa>1"]), ["start - 0 sa", "again - 1 a"]);
}

#[test]
fn the_same_request_again_is_another_thread_of_its_parent() {
    assert_eq!(shown(&["a>1", "a1b>2", "a1b>3"])[2], "again 0 1 b");
    assert_eq!(shown(&["a>1", "a1b>2", "a1b>3", "a1b3c>4"])[3], "continued 2 1 c");
}

#[test]
fn two_agents_that_alternate_do_not_mix() {
    assert_eq!(
        shown(&["Sa>1", "Tb>2", "Sa1c>3", "Tb2d>4"]),
        ["start - 0 sa", "start - 1 tb", "continued 0 0 c", "continued 1 1 d"]
    );
}

#[test]
fn shared_instructions_alone_are_another_conversation_and_no_edit() {
    assert_eq!(shown(&["Sa>1", "Sb>2"]), ["start - 0 sa", "start - 1 b"]);
}

#[test]
fn another_question_after_the_same_answer_is_a_branch() {
    assert_eq!(shown(&["a>1", "a1b>2", "a1c>3"]), ["start - 0 a", "continued 0 0 b", "branch 0 1 c"]);
}

#[test]
fn an_edited_message_is_marked_with_what_replaced_it() {
    let places = merge(&steps(&["Sa>1", "Sa1b>2", "Sa9b2c>3"]));
    assert_eq!((places[2].relation, places[2].parent, places[2].folded), (Relation::Edited, Some(1), 5));
    assert_eq!(places[2].replaced, Some((2, 3, 2, 3)));
    let places = merge(&steps(&["a>1", "a9b>2"]));
    assert_eq!((places[1].relation, places[1].parent, places[1].folded), (Relation::Edited, Some(0), 1));
    assert_eq!(places[1].replaced, Some((1, 2, 1, 3)));
}

#[test]
fn a_history_without_its_oldest_messages_is_shortened() {
    let places = merge(&steps(&["Sa>1", "Sa1b>2", "Sb2c>3", "S2c3d>4"]));
    assert_eq!((places[2].relation, places[2].parent, places[2].folded), (Relation::Shortened, Some(1), 3));
    assert_eq!(places[2].replaced, Some((1, 3, 1, 1)));
    assert_eq!((places[3].relation, places[3].parent), (Relation::Shortened, Some(2)));
}

#[test]
fn instructions_that_change_with_every_turn_do_not_break_a_conversation() {
    assert_eq!(
        shown(&["Sa>1", "Ta1b>2", "Ua1b2c>3"]),
        ["start - 0 sa", "continued 0 0 b", "continued 1 0 c"]
    );
}

#[test]
fn any_choice_may_be_continued_and_so_may_a_request_without_an_answer() {
    assert_eq!(shown(&["a>1|2", "a2b>3"]), ["start - 0 a", "continued 0 0 b"]);
    assert_eq!(shown(&["a", "ab>1"]), ["start - 0 a", "continued 0 0 b"]);
    assert_eq!(shown(&["a", "a>1"]), ["start - 0 a", "continued 0 0 "]);
}

#[test]
fn a_response_that_is_named_is_the_parent() {
    let mut steps = steps(&["a>1", "b>2", "c>3", "c>4"]);
    steps[1].previous = Some(0);
    steps[2].previous = Some(1);
    steps[3].previous = Some(1);
    let places: Vec<_> =
        merge(&steps).into_iter().map(|place| (place.parent, place.relation, place.thread)).collect();
    assert_eq!(
        places,
        [
            (None, Relation::Start, 0),
            (Some(0), Relation::Continued, 0),
            (Some(1), Relation::Continued, 0),
            (Some(1), Relation::Branch, 1)
        ]
    );
}

#[test]
fn four_hundred_turns_show_each_message_once() {
    let steps: Vec<_> = (0..400)
        .map(|turn| Step {
            messages: (0..=2 * turn).collect(),
            answers: vec![vec![2 * turn + 1]],
            ..Step::default()
        })
        .collect();
    let shown: usize =
        merge(&steps).iter().zip(&steps).map(|(place, step)| step.messages.len() - place.folded).sum();
    assert_eq!(shown, 400);
}

/// A client that sends the whole history: each step continues an earlier one, or begins anew.
fn honest() -> impl Strategy<Value = (Vec<Step>, Vec<Option<usize>>)> {
    proptest::collection::vec((any::<proptest::sample::Index>(), 0u32..3, 0u32..3, any::<bool>()), 1..30)
        .prop_map(|turns| {
            let (mut steps, mut parents): (Vec<Step>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
            for (parent, question, answer, is_new) in turns {
                // Answers are unique, questions are not.
                let answer = 1000 + 10 * u32::try_from(steps.len()).unwrap() + answer;
                let parent = (!steps.is_empty() && !is_new).then(|| parent.index(steps.len()));
                let mut messages = parent.map_or(vec![7], |parent| steps[parent].history().collect());
                messages.push(question);
                steps.push(Step { messages, system: 1, answers: vec![vec![answer]], previous: None });
                parents.push(parent);
            }
            (steps, parents)
        })
}

proptest! {
    #[test]
    fn whoever_sends_the_whole_history_sees_each_message_once_below_its_parent((steps, parents) in honest()) {
        for ((place, step), parent) in merge(&steps).iter().zip(&steps).zip(parents) {
            prop_assert_eq!(place.parent, parent);
            prop_assert!(!matches!(place.relation, Relation::Edited | Relation::Shortened));
            // The question is new; before it are the parent's messages, or the instructions.
            let most = 2 - usize::from(parent.is_some());
            prop_assert!(step.messages.len() - place.folded <= most);
        }
    }

    #[test]
    fn nothing_is_folded_that_an_earlier_turn_does_not_show(
        texts in proptest::collection::vec(("[A-B]{0,1}[a-c1-3]{0,6}", "[1-3]{0,2}"), 0..12)
    ) {
        let texts: Vec<_> = texts.into_iter().map(|(asked, answer)| format!("{asked}>{answer}")).collect();
        let steps = steps(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let places = merge(&steps);
        for (index, (place, step)) in places.iter().zip(&steps).enumerate() {
            prop_assert!(place.folded <= step.messages.len());
            prop_assert!(place.parent.is_none_or(|parent| parent < index));
            let Some(parent) = place.parent.map(|parent| &steps[parent]) else { continue };
            let history: Vec<_> = parent.history().collect();
            let folded = &step.messages[..place.folded];
            match place.replaced {
                // The system messages may differ: they are shown as a change.
                None if place.relation != Relation::Again => prop_assert!(
                    folded == history || folded.strip_prefix(&step.messages[..step.system]) == history.strip_prefix(&parent.messages[..parent.system])
                ),
                None => prop_assert_eq!(folded, &history[..place.folded]),
                Some((from, to, start, end)) => {
                    prop_assert!(from <= to && to <= history.len() && start <= end && end <= step.messages.len());
                    prop_assert!(from < to || start < end);
                    if end < place.folded {
                        prop_assert_eq!(&history[to..], &step.messages[end..place.folded]);
                    }
                }
            }
        }
        let threads: std::collections::BTreeSet<_> = places.iter().map(|place| place.thread).collect();
        prop_assert!(threads.iter().copied().eq(0..threads.len()));
    }
}
