"""Images of the apps and servers: made layer by layer, the same bytes from the same commit.

No Dockerfile: a layer is a tar that we write ourselves, so that neither the clock nor the
machine of the build is in it (`docs/adr/0011-images-without-a-dockerfile.md`). A target asks
`running.runnable` which image a service runs in, and `building.build` to have it made.
"""
