"""What a page with a content-security policy must not do."""

# what a page is made to try, and the rule that stops it
TRIES = {
    "img-src": "new Image().src = 'https://else.test/a.png'",
    "script-src-elem": "add('script', {src: 'https://else.test/a.js'})",
    "script-src-elem ": "add('script', {textContent: 'window.hit = 1'})",
    "script-src-attr": "add('div', {innerHTML: '<img src=data: onerror=hit=1>'})",
    "style-src-elem": "add('link', {rel: 'stylesheet', href: 'https://else.test/a'})",
    "connect-src": "fetch('https://else.test/a').catch(() => 0)",
    "connect-src ": "new WebSocket('wss://else.test/a').onerror = () => 0",
    "connect-src  ": "navigator.sendBeacon('https://else.test/a', 'x')",
    "frame-src": "add('iframe', {src: 'https://else.test/a'})",
    "object-src": "add('object', {data: 'https://else.test/a'})",
    "media-src": "add('video', {src: 'https://else.test/a'})",
    "font-src": "new FontFace('a', 'url(https://else.test/a)').load().catch(() => 0)",
    "base-uri": "add('base', {href: 'https://else.test/'})",
    "form-action": "add('form', {action: 'https://else.test/a'}).submit()",
    "worker-src": "new Worker('../_static/doctools.js')",
    "script-src": "try { eval('window.hit = 1') } catch { }",
}
TRY = """() => new Promise((resolve) => {
  addEventListener("securitypolicyviolation",
    ({ effectiveDirective }) => resolve(effectiveDirective), { once: true });
  setTimeout(() => resolve(null), 3000);
  const add = (tag, properties) => {
    const made = Object.assign(document.createElement(tag), properties);
    (tag === "base" ? document.head : document.body).append(made);
    return made;
  };
  setTimeout(() => { CODE });
})"""
