"""NASNet for phones, of Keras."""

from retrain.backbones.families.base import (
    KERAS_WEIGHTS_URL,
    MINUS_ONE_TO_ONE,
    Architecture,
    KerasApplication,
)

FAMILY = (
    Architecture(
        name="nasnet_mobile",
        build=KerasApplication("NASNetMobile"),
        dim=1056,
        input_size=224,
        arithmetic=MINUS_ONE_TO_ONE,
        licence="Apache 2.0 (Google)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file="nasnet/NASNet-mobile-no-top.h5",
        checksum="1ed92395b5b598bdda52abe5c0dbfd63",
    ),
)
