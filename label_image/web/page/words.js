// The words of the page, in the languages that it speaks. What is in braces is filled in.

/** @typedef {Record<string, string>} Words */

/** @type {Record<string, Words>} */
export const LANGUAGES = {
  en: {
    title: "What is it?",
    classes: "Point the camera: this model tells apart {names}.",
    more: "{names} and {count} more",
    open: "Open the camera",
    loading: "Getting the model: {percent}",
    photo: "Photo",
    freeze: "Freeze",
    resume: "Camera",
    switch: "Switch",
    torch: "Light",
    looking: "Looking …",
    unknown: "Unknown",
    nearest: "Like nothing that it was trained on. Nearest: {name}.",
    said: "{name}, {percent}",
    saidUnknown: "Unknown",
    rate: "{count} answers/s",
    private: "Nothing leaves this phone: the model runs here.",
    offline: "Nothing leaves this phone, and it works without a network.",
    sent: "This phone does not run the model itself: pictures are sent to {host}, which answers.",
    insecure: "Browsers open the camera only over https, or on localhost. This address is plain http, so there is no live camera; you can still take or choose a photo.",
    noCamera: "No camera was found. You can still choose a photo.",
    refused: "The camera was not allowed. Allow it in the browser's settings for this page, or choose a photo.",
    busy: "The camera is used by another program. Close that, or choose a photo.",
    ended: "The camera was closed. Open it again.",
    tiff: "This browser does not read TIFF. Save the photo as JPEG or PNG.",
    heic: "This browser does not read HEIC. Save the photo as JPEG, or open this page in Safari.",
    noPhoto: "This file is not a photo that this browser can read.",
    noModel: "The model could not be loaded: {reason}",
    noAnswer: "There was no answer: {reason}",
    newer: "There is a newer version.",
    renew: "Use it",
  },
  pt: {
    title: "O que é?",
    classes: "Aponte a câmera: este modelo distingue {names}.",
    more: "{names} e mais {count}",
    open: "Abrir a câmera",
    loading: "Obtendo o modelo: {percent}",
    photo: "Foto",
    freeze: "Congelar",
    resume: "Câmera",
    switch: "Trocar",
    torch: "Luz",
    looking: "Olhando …",
    unknown: "Desconhecido",
    nearest: "Não se parece com nada do treinamento. Mais parecida: {name}.",
    said: "{name}, {percent}",
    saidUnknown: "Desconhecido",
    rate: "{count} respostas/s",
    private: "Nada sai deste telefone: o modelo roda aqui.",
    offline: "Nada sai deste telefone, e funciona sem rede.",
    sent: "Este telefone não roda o modelo: as imagens são enviadas a {host}, que responde.",
    insecure: "Os navegadores só abrem a câmera por https ou em localhost. Este endereço é http simples, por isso não há câmera ao vivo; ainda é possível tirar ou escolher uma foto.",
    noCamera: "Nenhuma câmera foi encontrada. Ainda é possível escolher uma foto.",
    refused: "A câmera não foi permitida. Permita nas configurações do navegador para esta página, ou escolha uma foto.",
    busy: "A câmera está em uso por outro programa. Feche-o, ou escolha uma foto.",
    ended: "A câmera foi fechada. Abra de novo.",
    tiff: "Este navegador não lê TIFF. Salve a foto como JPEG ou PNG.",
    heic: "Este navegador não lê HEIC. Salve a foto como JPEG, ou abra esta página no Safari.",
    noPhoto: "Este arquivo não é uma foto que este navegador consiga ler.",
    noModel: "Não foi possível carregar o modelo: {reason}",
    noAnswer: "Não houve resposta: {reason}",
    newer: "Há uma versão nova.",
    renew: "Usar",
  },
};

/**
 * The language of the first that the reader prefers and the page speaks; else English.
 * @param {readonly string[]} preferred such as navigator.languages
 */
export function languageOf(preferred) {
  const spoken = preferred.map((each) => each.toLowerCase().split("-")[0] ?? "");
  return spoken.find((each) => each in LANGUAGES) ?? "en";
}

/**
 * A speaker of a language: `say("more", {names, count})`.
 * @param {string} language
 * @returns {(key: string, values?: Record<string, string>) => string}
 */
export function speaker(language) {
  const words = LANGUAGES[language] ?? {};
  return (key, values = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/**
 * A class as it is shown: folders have underscores for spaces. What turns the direction of writing is left out.
 * @param {string} label
 */
export function shown(label) {
  return label.replaceAll("_", " ").replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
}

/** A class within a sentence, which may run in the other direction. @param {string} label */
export function isolated(label) {
  return `\u2068${shown(label)}\u2069`;
}
