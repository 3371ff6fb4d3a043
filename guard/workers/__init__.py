"""Several workers behind one socket, with one encoder, one audit log and one set of limits.

    parent: the listening socket, restarts whoever dies
      ├── worker 1 … n: the proxy; count requests in a shared table (`rows`)
      │       └─ Unix socket: score, audit (`client`, `services`)
      └── hub: the encoder and the audit log (`hub`)

A server of one worker imports nothing of this. docs/decisions/0006-workers.md tells why.
"""
