"""Images of the apps and servers: made layer by layer, the same bytes from the same commit.

No Dockerfile: a layer is a tar that we write ourselves, so that neither the clock nor the
machine of the build is in it (`docs/adr/0011-images-without-a-dockerfile.md`). What a target
needs of this package is `runnable`.
"""
