"""All kinds of texts that describe a preprocessing, for Hypothesis."""

from hypothesis import strategies as st

from label_image.preprocessing import FILTERS

numbers = st.integers(-1000, 1000) | st.floats(-1000, 1000).map(lambda value: round(value, 3))
positive = st.floats(0.001, 1000).map(lambda value: round(value, 3))
value_ranges = st.tuples(numbers, positive).map(lambda ends: f"value_range({ends[0]},{ends[0] + ends[1]})")
standardizations = st.tuples(*[numbers] * 3, *[positive] * 3).map(
    lambda values: f"standardize({','.join(map(str, values))})"
)
texts = st.builds(
    lambda decode, orient, size, resample, rest: "|".join(
        [decode, *(["orient"] if orient else []), f"resize({size},{resample})", *rest]
    ),
    st.sampled_from(["decode", "decode(2)", "decode(8)"]),
    st.booleans(),
    st.integers(1, 4096),
    st.sampled_from(sorted(FILTERS)),
    st.lists(value_ranges | standardizations | st.just("bgr"), max_size=4),
)
