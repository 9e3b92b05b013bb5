//! What a recorder keeps.

use proptest::prelude::*;

use super::*;
use crate::config::Limits;

fn budget(bytes: usize, body_bytes: usize) -> Budget {
    Budget::new(Limits { items: 1, bytes, body_bytes })
}

fn record(frames: &[Bytes], budget: &Budget) -> Recording {
    record_as(true, frames, budget)
}

fn record_as(is_stream: bool, frames: &[Bytes], budget: &Budget) -> Recording {
    let mut recorder = Recorder::default();
    recorder.expect(is_stream, false);
    frames.iter().for_each(|frame| recorder.record(frame, || Some(budget)));
    recorder.finish(BodyEnd::Complete)
}

fn frames() -> impl Strategy<Value = Vec<Bytes>> {
    let size = prop_oneof![8 => 0..300usize, 2 => 4_000..9_000usize, 1 => 9_000..70_000usize];
    proptest::collection::vec(
        (any::<u8>(), size).prop_map(|(byte, size)| Bytes::from(vec![byte; size])),
        0..60,
    )
}

proptest! {
    #[test]
    fn what_passes_is_kept_in_order_up_to_the_limit(
        frames in frames(),
        is_stream: bool,
        limit in 1..200_000usize,
    ) {
        let budget = budget(usize::MAX / 2, limit);
        let recording = record_as(is_stream, &frames, &budget);
        let whole = frames.concat();
        let kept = &whole[..whole.len().min(limit)];
        prop_assert_eq!(recording.passed, whole.len() as u64);
        prop_assert_eq!(budget.stats().bytes_held, recording.charged as u64);
        prop_assert!(recording.charged >= kept.len());
        let most = Tail::MOST.min(limit);
        let rest = &whole[kept.len()..];
        let of_tail = if rest.is_empty() { 0 } else { 2 * most };
        prop_assert!(recording.charged <= kept.len() * 2 + FIRST_BLOCK + of_tail);
        prop_assert!(recording.charged <= kept.len() + LARGEST_BLOCK + of_tail);
        let mut recording = recording;
        let tail = recording.tail.take().map(|tail| tail.to_bytes()).unwrap_or_default();
        prop_assert_eq!(tail, &rest[rest.len().saturating_sub(most)..]);
        prop_assert_eq!(recording.into_bytes(&budget), kept);
    }

    #[test]
    fn a_recorder_that_was_used_before_records_as_a_new_one_does(
        bodies in proptest::collection::vec((frames(), any::<bool>(), any::<bool>(), any::<bool>()), 2..5),
        limit in 1..50_000usize,
        bytes in 1..100_000usize,
    ) {
        let budget = budget(bytes, limit);
        let mut recorder = Recorder::default();
        for (frames, is_stream, with_marks, is_opened) in bodies {
            let spare = recorder.spare();
            if is_opened && budget.charge(spare) {
                recorder.open_spare();
            }
            recorder.expect(is_stream, with_marks);
            frames.iter().for_each(|frame| recorder.record(frame, || Some(&budget)));
            let whole = frames.concat();
            let recording = recorder.finish(BodyEnd::Complete);
            let held = budget.stats().bytes_held;
            prop_assert_eq!(recording.passed, whole.len() as u64);
            prop_assert_eq!(held, recording.charged as u64);
            prop_assert!(with_marks || recording.marks.is_empty());
            budget.release(recording.charged);
            let kept = if recording.over_budget { &[][..] } else { &whole[..whole.len().min(limit)] };
            prop_assert_eq!(recording.into_bytes(&budget), kept);
        }
    }

    #[test]
    fn a_budget_without_room_keeps_nothing_and_holds_nothing(frames in frames(), bytes in 0..50_000usize) {
        let budget = budget(bytes, usize::MAX);
        let recording = record(&frames, &budget);
        if recording.over_budget {
            prop_assert!(recording.pieces.is_empty());
            prop_assert_eq!(budget.stats().bytes_held, 0);
        } else {
            prop_assert!(budget.stats().bytes_held as usize <= bytes);
            prop_assert_eq!(recording.into_bytes(&budget), frames.concat());
        }
    }
}

#[test]
fn a_large_frame_is_kept_without_a_copy() {
    let frame = Bytes::from(vec![b'x'; KEEP_BY_REFERENCE]);
    let recording = record(std::slice::from_ref(&frame), &budget(10_000, 10_000));
    assert_eq!(recording.pieces[0].as_ptr(), frame.as_ptr());
}

#[test]
fn a_frame_that_is_cut_at_the_limit_is_not_pinned() {
    let frame = Bytes::from(vec![b'x'; 100_000]);
    let budget = budget(1_000_000, 20_000);
    let recording = record(std::slice::from_ref(&frame), &budget);
    assert!(frame.is_unique());
    assert_eq!((recording.passed, recording.into_bytes(&budget).len()), (100_000, 20_000));
}

#[test]
fn moments_are_in_the_budget() {
    for (room, marks) in [(10_000, 64), (100_000, MOST_MARKS)] {
        let budget = budget(room, room);
        let mut recorder = Recorder::default();
        recorder.expect(false, true);
        for _ in 0..2_000 {
            recorder.record(&Bytes::from_static(b"x"), || Some(&budget));
        }
        let recording = recorder.finish(BodyEnd::Complete);
        assert_eq!((recording.over_budget, recording.marks.len()), (false, marks));
        assert!(recording.charged >= recording.marks.len() * size_of::<Mark>() + 2_000);
        assert_eq!(budget.stats().bytes_held, recording.charged as u64);
    }
}

#[test]
fn after_a_moment_that_had_no_room_none_is_noted() {
    let budget = budget(10_000, 10_000);
    let mut recorder = Recorder::default();
    recorder.expect(false, true);
    let frame = Bytes::from_static(b"x");
    let mut record = |frames| {
        (0..frames).for_each(|_| recorder.record(&frame, || Some(&budget)));
    };
    record(16);
    let taken = 10_000 - budget.stats().bytes_held as usize;
    assert!(budget.charge(taken));
    record(1);
    budget.release(taken);
    record(100);
    assert_eq!(recorder.finish(BodyEnd::Complete).marks.len(), 16);
}

#[test]
fn small_frames_do_not_pin_what_they_were_cut_from() {
    let frame = Bytes::from(vec![b'x'; 100]);
    let budget = budget(10_000, 10_000);
    for cut in [100, 50] {
        let recording = record(&[frame.slice(..cut), frame.slice(cut..)], &budget);
        assert!(frame.is_unique());
        budget.release(recording.charged);
        assert_eq!(recording.into_bytes(&budget), frame);
    }
}

#[test]
fn a_small_block_serves_another_body_and_holds_nothing_of_the_one_before() {
    let budget = budget(10_000, 10_000);
    let mut recorder = Recorder::default();
    let mut keep = |body: &'static str| {
        recorder.record(&Bytes::from_static(body.as_bytes()), || Some(&budget));
        let block = recorder.open.as_ptr();
        let held = budget.stats().bytes_held;
        let recording = recorder.finish(BodyEnd::Complete);
        budget.release(recording.charged);
        assert_eq!((held, recording.into_bytes(&budget)), (8.max(body.len()) as u64, Bytes::from(body)));
        block
    };
    let block = keep("a secret");
    assert_eq!(keep("yours"), block, "and it is charged as long as it is");
    keep("a body that does not fit into the block");
    assert_eq!(budget.stats().bytes_held, 0);
}

#[test]
fn the_blocks_of_a_stream_serve_the_next_one_and_hold_nothing_of_the_one_before() {
    let budget = budget(100_000, 100_000);
    let keep = |byte, frames| {
        let stream = vec![Bytes::from(vec![byte; 1_000]); frames];
        let recording = record(&stream, &budget);
        let blocks: Vec<_> = recording.pieces.iter().map(|piece| piece.as_ptr()).collect();
        budget.release(recording.charged);
        assert_eq!(recording.into_bytes(&budget), stream.concat());
        blocks
    };
    let blocks = keep(b'a', 40);
    assert_eq!((blocks.len(), budget.spare_bytes()), (3, 7 * FIRST_BLOCK));
    assert_eq!(keep(b'b', 2), blocks[..1]);
    assert_eq!(keep(b'c', 40), blocks);
    assert_eq!(budget.spare_bytes(), 7 * FIRST_BLOCK);
}

#[test]
fn the_blocks_of_an_upload_are_used_again_and_one_that_has_its_size_is_passed_on_as_it_is() {
    let budget = budget(100_000, 100_000);
    let upload = vec![Bytes::from(vec![b'x'; 5_000]); 5];
    let recording = record_as(false, &upload, &budget);
    assert_eq!(recording.charged, 5_000 + FIRST_BLOCK + 2 * FIRST_BLOCK);
    budget.release(recording.charged);
    assert_eq!(recording.into_bytes(&budget), upload.concat());
    assert_eq!(budget.spare_bytes(), 3 * FIRST_BLOCK);

    let recording = record_as(false, &upload[..1], &budget);
    let block = recording.pieces[0].as_ptr();
    assert_eq!(recording.into_bytes(&budget).as_ptr(), block);
}

#[test]
fn what_a_large_frame_leaves_of_a_block_is_the_whole_block() {
    let budget = budget(100_000, 100_000);
    let block = budget.take_block(FIRST_BLOCK);
    let address = block.as_ptr();
    budget.give_back(block);
    let frames = [Bytes::from_static(b"data: 1\n\n"), Bytes::from(vec![b'x'; KEEP_BY_REFERENCE])];
    let recording = record(&frames, &budget);
    assert_eq!((recording.charged, budget.spare_bytes()), (frames.concat().len(), FIRST_BLOCK));
    assert_eq!(budget.take_block(FIRST_BLOCK).as_ptr(), address);
}

#[test]
fn small_frames_between_large_ones_take_little_room() {
    let budget = budget(5 << 19, usize::MAX);
    let (large, small) = (Bytes::from(vec![1; 1 << 20]), Bytes::from_static(b"\r\n"));
    let recording = record(&[large, small], &budget);
    assert!(!recording.over_budget && recording.charged <= (1 << 20) + FIRST_BLOCK, "{recording:?}");
    let between = [Bytes::from(vec![1; KEEP_BY_REFERENCE]), Bytes::from_static(b"\r\n")];
    let mut recorder = Recorder::default();
    recorder.expect(true, false);
    for frame in between.iter().cycle().take(200) {
        recorder.record(frame, || Some(&budget));
        assert!(recorder.open.capacity() <= FIRST_BLOCK);
    }
}

#[test]
fn of_a_body_that_finds_no_room_not_even_moments_are_held() {
    let budget = budget(60_000, usize::MAX);
    let mut recorder = Recorder::default();
    recorder.expect(true, true);
    let frame = Bytes::from(vec![1; 100]);
    for _ in 0..2_000 {
        recorder.record(&frame, || Some(&budget));
    }
    assert!(recorder.over_budget && recorder.moments.is_none());
    assert_eq!((recorder.charged, budget.stats().bytes_held), (0, 0));
}
