from shiftwork.flow.recipes_training import MODES, train_digits


def test_digits_are_learned_in_integers_with_few_bits_and_reported():
    seen = []
    found = train_digits(epochs=3, modes=("float", "flagged", "dynamic"),
                         progress=lambda *call: seen.append(call))
    assert [call[:3] for call in seen] == [(mode, epoch, 3) for mode in ("float", "flagged", "dynamic")
                                           for epoch in (1, 2, 3)]
    assert set(found) < set(MODES)
    # Three epochs are 60 steps; chance is 0.1.
    assert found["float"].accuracy > 0.9 and found["flagged"].accuracy > 0.9
    assert found["dynamic"].accuracy > 0.8
    assert found["flagged"].speedup == 1 and found["dynamic"].speedup > 1.1
