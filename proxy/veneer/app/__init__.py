"""The only room that touches the web server: command line, wiring, server, admin, observation."""
