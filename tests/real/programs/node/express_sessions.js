// Express with express-session: pages of a signed-in user, sent in the ways that Express has.
const express = require('express');
const session = require('express-session');
const fs = require('fs');
const path = require('path');

const [port, directory] = process.argv.slice(2);
const app = express();
app.use(session({ secret: 'of the test', resave: false, saveUninitialized: false }));
app.use(express.urlencoded({ extended: false }));

const old = new Date(Date.now() - 20 * 86400 * 1000);
for (const name of ['ann', 'bob']) {
  const file = path.join(directory, `${name}.txt`);
  fs.writeFileSync(file, `the report of <${name}>`);
  const made = new Date(old.getTime() + name.charCodeAt(0) * 1000); // or the tags, made of size and date, would be equal
  fs.utimesSync(file, made, made);
}

app.post('/login', (request, response) => {
  request.session.name = request.body.name;
  response.redirect('/me');
});

const later = (handle) => (request, response) => setTimeout(() => handle(request, response), 50);
const own = (handle) => later((request, response) => {
  if (!request.session.name) return response.status(401).send('who are you?');
  return handle(request, response, request.session.name);
});

app.get('/me', own((request, response, name) => response.send(`<h1>Hello <${name}></h1>`)));
app.get('/me.json', own((request, response, name) => response.json({ hello: `<${name}>` })));
app.get('/report', own((request, response, name) => response.sendFile(path.join(directory, `${name}.txt`))));
app.get('/download', own((request, response, name) => {
  response.set('Last-Modified', old.toUTCString());
  response.send(`the report of <${name}>`);
}));
app.get('/either', own((request, response, name) => response.format({
  html: () => response.send(`<p><${name}></p>`),
  json: () => response.json({ name: `<${name}>` }),
})));
app.get('/greeting', later((request, response) => response.send(`Hello <${request.session.name || 'stranger'}>`)));
app.get('/shop', later((request, response) => {
  response.set('Cache-Control', 'public, max-age=60');
  response.send('the same for all');
}));
app.listen(Number(port), '127.0.0.1');
