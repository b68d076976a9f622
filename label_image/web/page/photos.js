// Why a photo cannot be read, told by its first bytes: names of files say anything.

/**
 * @param {Blob} photo
 * @returns {Promise<"tiff" | "heic" | "noPhoto">} a key of words.js
 */
export async function unreadable(photo) {
  const bytes = new Uint8Array(await photo.slice(0, 12).arrayBuffer().catch(() => new ArrayBuffer(0)));
  const text = String.fromCharCode(...bytes);
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) return "tiff";
  if (/^.{4}ftyp(hei|hev|mif|msf)/s.test(text)) return "heic";
  return "noPhoto";
}
