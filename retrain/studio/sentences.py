"""What the studio says to pages, in their language: its own sentences, and those of the rooms below.

What is raised in English, by a thread that knows no page or by a room below, is told in the language of the page that
asked. A sentence that is not here is told as it is, and so is one that was made in that language where it was raised;
tests/studio/test_sentences.py reads the sources, and notices what is neither.
"""

from starlette.responses import Response

from label_image.serve.app import response_of
from label_image.serve.refused import Refused
from retrain.core.language import translatable
from retrain.insight.html.rendering import shown
from retrain.insight.retold import retold

# Of photos and files.
PHOTOS = (
    translatable("There is no class {name} any more: choose another one."),
    translatable("The folder {folder} cannot be listed: {error}."),
    translatable("Another studio is open on {folder}: go on there, or end it first."),
    translatable("{name} cannot be read ({error})."),
    translatable("This photo is not there any more."),
    translatable("The photo {what}."),
    translatable("An archive may have 64 GiB: unpack it into the folder yourself."),
    translatable("The archive ended early."),
    translatable("{name} is not an archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz), whatever its name says."),
    translatable("The archive cannot be kept: {error}."),
    translatable("A request may have {most} MiB: send a smaller photo, or fewer at a time."),
    translatable("The request did not arrive within {number} seconds."),
    translatable("The request ended early."),
    translatable("many large photos are being answered"),
    translatable("The class name {name} is not valid UTF-8; rename it."),
    translatable(
        "The class name {name} holds a line break or control character, which labels.txt cannot keep; rename it."
    ),
    translatable("The class names {name} and {label} look the same; rename one of them, or merge the folders."),
)
# Of archives, and of what is in them.
ARCHIVES = (
    translatable("{file} is {what}, which cannot be read: unpack it, and pass the folder."),
    translatable("compressed by zstd"),
    translatable("{file} is empty: get it again."),
    translatable(
        "{file} is a web page and no archive: its address may want a login. Get the archive with a browser, and pass "
        "that file."
    ),
    translatable("{file} is encrypted ({name}): unpack it with its password, and pass the folder."),
    translatable("{file} is damaged or cannot be read here ({error}): get it again."),
    translatable("{file} cannot be unpacked to {folder}: {error}."),
    translatable("{file} is not unpacked: its member {name} would be written outside of the folder."),
    translatable("{file} is not unpacked: it holds more than {number} files."),
    translatable(
        "{file} is not unpacked: it grows to more than {number} GB, which no photos do. If you trust it, unpack it, "
        "and pass the folder."
    ),
    translatable(
        "{file} needs {need} GB of disk, of which {free} GB are left: free some space, or choose another `source_dir`."
    ),
    translatable("is a device or the like"),
    translatable("is a link to no file of the archive"),
    translatable("is a link out of the archive"),
    translatable("cannot be written: {error}"),
)
# Of what takes a while.
WORK = (
    translatable("The doctor needs photos of at least two classes: add some."),
    translatable("The photo is not in the folder any more: examine the photos again."),
    translatable("The photos were not examined yet."),
    translatable("There is no model yet: train first."),
    translatable("There is no photo yet: put photos into two classes, and train again."),
    translatable("There are no guesses before a training: train first."),
    translatable("Train first: there is no model yet that could be written."),
    translatable("Only the class {name} has photos that can be used: put photos into a second class, and train again."),
    translatable("No class has photos that can be used: put photos into a second class, and train again."),
    translatable("The report was not written yet: write it first."),
    translatable("{name} was not written yet: write it first."),
    translatable("{folder} cannot be read ({error}): try again."),
    translatable("{folder} cannot be written to ({error})."),
    translatable("The server is busy: {what}. Ask again in a second."),
    translatable("photos wait to be looked at"),
    translatable("The studio ends."),
    translatable("Something went wrong in the studio; its log says what."),
    translatable("This installation lacks what runs a model on a phone ({name}): {what}."),
    translatable("run `make web-runtime` in a clone of this project, which needs Node and npm"),
    translatable("Writing the model …"),
    translatable("Examining the photos for the report …"),
    translatable("Writing the report …"),
    translatable("Read as: {what}."),
    translatable("Running the SavedModel on {number} photos …"),
    translatable("Running the SavedModel on {number} more photos, of all sides …"),
    translatable("Writing and running {file} …"),
    translatable("  once more: {what} …"),
    translatable(
        "`output_dir` {folder} holds {name}, which is not part of an export: move it away, or choose another folder."
    ),
    translatable("{folder} is not as an export left it: it is kept as {name}."),
    translatable(
        "Which photos the model was trained on is not known: its accuracies may be too good. How the formats differ "
        "from the SavedModel holds all the same."
    ),
    translatable(
        "The model was trained on all of these photos: its accuracies are too good. How the formats differ from the "
        "SavedModel holds all the same."
    ),
)
# Of who may ask.
GATE = (
    translatable("The studio does not answer to the name {name}: open the address that it said."),
    translatable("Pages of others may not ask the studio."),
    translatable("Open the studio by the address that it said when it started: it ends in #token=…."),
    translatable("Phones may only add photos."),
    translatable("The studio made no certificate: that is done with --https."),
)
SENTENCES = (*PHOTOS, *ARCHIVES, *WORK, *GATE)


def told(sentence: str) -> str:
    """A sentence of the studio or of a room below, in the language of the moment."""
    return shown(retold(sentence, SENTENCES))


def told_refusal(refused: Refused) -> Response:
    """Why something is not done, in the language of the page that asked for it."""
    return response_of(Refused(refused.status, told(refused.sentence), refused.headers))
