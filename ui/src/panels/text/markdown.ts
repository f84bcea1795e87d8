import DOMPurify from 'dompurify';
import { marked } from 'marked';

/** Markdown or HTML, without anything that could run or reach out. */
export function toSafeHtml(content: string, mode: string): string {
  const html = mode === 'html' ? content : marked.parse(content, { async: false, gfm: true, breaks: false });
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ['style', 'form', 'input', 'textarea', 'button', 'select', 'iframe', 'video', 'audio'],
    FORBID_ATTR: ['srcset', 'id', 'name'],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#|\/|\.{0,2}\/|\?|data:image\/(?:png|jpeg|gif|svg\+xml);)/i,
  });
}
