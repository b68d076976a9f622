"""From files to upright photos: reading within a budget of bytes, opening, decoding."""
