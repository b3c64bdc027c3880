vcl 4.1;
# Built-in behaviour but for three things: cookies do not prevent a hit (they change nothing here), a request ID is made,
# and what is stored is stored as it is and as gzip, so that no delivery compresses or decompresses.
backend default { .host = "127.0.0.1"; .port = "${origin_port}"; .max_connections = 512; }

sub vcl_recv {
    if (!req.http.X-Request-ID) { set req.http.X-Request-ID = req.xid; }
    if (req.http.Accept-Encoding ~ "gzip") { set req.http.X-Coding = "gzip"; }
    if (req.method == "GET" || req.method == "HEAD") { return (hash); }
    return (pass);
}

sub vcl_hash { hash_data(req.http.X-Coding); }

sub vcl_backend_response {
    if (bereq.http.X-Coding == "gzip" && beresp.http.Content-Type ~ "json") { set beresp.do_gzip = true; }
}

sub vcl_deliver { set resp.http.X-Request-ID = req.http.X-Request-ID; }
