// Files as they are dropped, pasted and chosen, each with the class that it goes into: the names of folders are classes.

/** @typedef {{file: File, label: string | null, isArchive: boolean, isUnread?: boolean}} Incoming */
/** @typedef {{file: File, path: string, isUnread?: boolean}} Found `isUnread`: the browser was not given it */

const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz)$/i;

/**
 * The class of a file by its path: a folder with photos of its own is a class with all below it; of any other folder
 * each folder within is one.
 * @param {readonly string[]} paths of all files, with slashes @param {string | null} otherwise the class of loose files
 * @returns {(string | null)[]} in their order
 */
export function labelsOf(paths, otherwise) {
  const direct = new Set(
    paths
      .map((path) => path.split("/"))
      .filter(({ length }) => length === 2)
      .map(([top]) => top),
  );
  return paths.map((path) => {
    const [top, next, ...rest] = path.split("/");
    if (next === undefined) return otherwise;
    if (direct.has(top) || rest.length === 0) return top ?? otherwise;
    return next;
  });
}

/** What no person means by a photo: files that systems leave in folders. @param {string} path */
export function isLitter(path) {
  return (
    path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX") ||
    /(^|\/)(thumbs\.db|desktop\.ini)$/i.test(path)
  );
}

/** @param {readonly Found[]} found @param {string | null} label @returns {Incoming[]} */
function labelled(found, label) {
  const kept = found.filter(({ path }) => !isLitter(path));
  const labels = labelsOf(
    kept.map(({ path }) => path),
    label,
  );
  return kept.map(({ file, isUnread = false }, place) => {
    return { file, label: labels[place] ?? null, isArchive: ARCHIVE.test(file.name), isUnread };
  });
}

/** Files of a form, single ones or a folder's. @param {readonly File[]} files @param {string | null} label */
export function filesOf(files, label) {
  return labelled(
    files.map((file) => ({ file, path: file.webkitRelativePath || file.name })),
    label,
  );
}

/** What is dropped or pasted. @param {DataTransfer} data @param {string | null} label @returns {Promise<Incoming[]>} */
export async function dropped(data, label) {
  const items = [...data.items].filter(({ kind }) => kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()); // all at once: later they are gone
  /** @type {Found[]} */
  const found = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ file: entry, path: entry.name });
    else if (entry) found.push(...(await walk(entry, "")));
  }
  return labelled(found, label);
}

/** @param {FileSystemEntry} entry @param {string} above @returns {Promise<Found[]>} */
async function walk(entry, above) {
  const path = above + entry.name;
  if (entry.isFile) {
    const of = /** @type {FileSystemFileEntry} */ (entry);
    const file = await new Promise((/** @type {(file: File | null) => void} */ done) => of.file(done, () => done(null)));
    return [file ? { file, path } : { file: new File([], entry.name), path, isUnread: true }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at a time
    if (some.length === 0) return found;
    for (const each of some) found.push(...(await walk(each, `${path}/`)));
  }
}
