"""What is known about the public datasets: hosts, sizes, checksums, names, bad clips.

Gathered from the FMA paper and repository, and for GTZAN from Sturm (2013) and Kereliuk, Sturm and
Larsen (2015). All of it is here and nowhere else, so that a correction is one line. The host
may be slow or gone; ``--url`` and ``--from`` replace it.
"""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True)
class Archive:
    """A zip as it was published.

    Attributes:
        name: the file's name.
        sha1: of the whole file, in hex.
        size: bytes; exact if ``exact`` is set, otherwise rounded to the GiB as published.
    """

    name: str
    sha1: str
    size: int
    exact: bool = False


FMA_URL = "https://os.unil.cloud.switch.ch/fma/"
FMA_SUBSETS = ("small", "medium", "large", "full")  # each holds the ones before it
FMA_METADATA = Archive(
    "fma_metadata.zip", "f0df49ffe5f2a6008d7dc83c6915b31835dfe733", 358_412_441, exact=True
)
FMA_AUDIO = {
    "small": Archive(
        "fma_small.zip", "ade154f733639d52e35e32f5593efe5be76c6d70", 7_679_594_875, exact=True
    ),
    "medium": Archive("fma_medium.zip", "c67b69ea232021025fca9231fc1c7c1a063ab50b", 22 * GIB),
    "large": Archive("fma_large.zip", "497109f4dd721066b5ce5e5f250ec604dc78939e", 93 * GIB),
    "full": Archive("fma_full.zip", "0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab", 879 * GIB),
}
#: Only these members of the metadata zip are unpacked; raw tables, features and a pickle are not.
FMA_METADATA_WANTED = ("tracks.csv", "genres.csv", "checksums", "README.txt")
FMA_CLIP_SECONDS = 30.0  # small, medium and large hold the middle of each track; full holds all
#: Clips that do not decode or hold next to nothing although their checksums pass (wiki, issues).
FMA_KNOWN_BAD = frozenset(
    map(
        str,
        (
            *(99134, 108925, 133297, 98565, 98567, 98569, 72059, 110736, 119979),  # small
            *(1486, 5574, 65753, 80391, 98558, 98559, 98560, 98566, 98568, 98571),
            *(105247, 108924, 126981, 127336, 143992),
        ),
    )
)

GTZAN_GENRES = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)
GTZAN_FOLDERS = ("genres", "genres_original", "Data/genres_original", "gtzan/genres")
GTZAN_KNOWN_BAD = frozenset(["jazz.00054"])  # does not decode in the common wav release
