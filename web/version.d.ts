// What label_image/web/site.py writes in front of the service worker.
declare const VERSION: string;
declare const FILES: string[];
declare const SIZES: number[];
