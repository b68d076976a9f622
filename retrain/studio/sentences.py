"""What the studio says to pages, in their language: its own sentences, and those of the rooms below.

An error is raised in English, in whatever thread, and told in the language of the page that asked. A sentence that is
not here is told as it is; tests/studio/test_sentences.py reads the sources and notices that.
"""

from starlette.responses import Response

from label_image.serve.app import response_of
from label_image.serve.refused import Refused
from retrain.core.language import translatable
from retrain.insight.retold import retold

# Of classes.
NAMES = (
    translatable("A class needs a name."),
    translatable("A class name cannot begin with a dot: such folders are hidden."),
    translatable("A class name cannot end with a dot, which Windows does not keep."),
    translatable("{name} is a name that Windows keeps for itself: choose another."),
    translatable("This class name is too long: it takes {bytes} bytes, and {most} are allowed."),
    translatable("A class name cannot have a {sign} in it: a folder's name may not, here or on Windows."),
    translatable("The class name {name} has an invisible character in it: type it anew."),
    translatable("There is a class {name} already."),
    translatable("There is a class {name} already, which looks the same: choose another name."),
    translatable("There is no class {name}: somebody has renamed or removed it."),
    translatable("There is no class {name} any more: choose another one."),
    translatable("A folder called {name} is read as {what}: choose a name that says what its photos show."),
)
# As what a folder is read.
READINGS = (
    translatable("the part of a data set that is trained or tested on"),
    translatable("photos without classes"),
    translatable("the folder around all classes"),
    translatable("notes about photos"),
    translatable("what a system or a tool leaves behind"),
    translatable("something else than a class"),
)
# Of photos and files.
PHOTOS = (
    translatable("{name} is no photo of this folder."),
    translatable("{name} is not there any more: somebody has moved or removed it."),
    translatable("These {number} photos are not there any more: somebody has moved or removed them."),
    translatable("{name} is a link, and would lead nowhere from another folder: copy the photo."),
    translatable("The folder {folder} cannot be changed: {error}. All photos are there."),
    translatable("The folder {folder} cannot be changed: {error}. Make room, and do it again. All photos are there."),
    translatable(
        "The folder {folder} cannot be changed: {error}. Allow this program to write to it. All photos are there."
    ),
    translatable("The folder {folder} cannot be changed: {error}. Choose a shorter name. All photos are there."),
    translatable("The folder {folder} cannot be listed: {error}."),
    translatable("Another studio is open on {folder}: go on there, or end it first."),
    translatable("{file} cannot be written: {error}. The decision is not kept."),
    translatable("{name} cannot be read ({error})."),
    translatable("This photo is not there any more."),
    translatable("The photo {what}."),
    translatable("An archive may have 64 GiB: unpack it into the folder yourself."),
    translatable("The archive ended early."),
    translatable("The archive cannot be kept: {error}."),
    translatable("has no place: {error}"),
)
# Of what takes a while.
WORK = (
    translatable("The doctor needs photos of at least two classes: add some."),
    translatable("The photo is not in the folder any more: examine the photos again."),
    translatable("The photos were not examined yet."),
    translatable("There is no model yet: train first."),
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
    translatable("The studio made a mistake; what it was stands in its log."),
    translatable("Writing the model …"),
    translatable("Examining the photos for the report …"),
    translatable("Writing the report …"),
)
# Of who may ask.
GATE = (
    translatable("The studio does not answer to the name {name}: open the address that it said."),
    translatable("Pages of others may not ask the studio."),
    translatable("Open the studio by the address that it said when it started: it ends in #token=…."),
    translatable("Phones may only add photos."),
    translatable("The studio made no certificate: that is done with --https."),
)
SENTENCES = (*NAMES, *READINGS, *PHOTOS, *WORK, *GATE)


def told(sentence: str) -> str:
    """A sentence of the studio or of a room below, in the language of the moment."""
    return retold(sentence, SENTENCES)


def told_refusal(refused: Refused) -> Response:
    """Why something is not done, in the language of the page that asked for it."""
    return response_of(Refused(refused.status, told(refused.sentence), refused.headers))
