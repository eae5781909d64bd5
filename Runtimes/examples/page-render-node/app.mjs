// Renders a product list as HTML and answers in the shape of a function URL.
import { page, escape } from './page.mjs';

export const handler = async (event) => {
    const products = event.products ?? [];
    const rows = products.map(({ name, price }) => `<tr><td>${escape(name)}</td><td>${escape(price)}</td></tr>`);
    return {
        statusCode: 200,
        headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'max-age=60' },
        body: page('Products', `<table>${rows.join('')}</table><p>${products.length} products</p>`),
    };
};
