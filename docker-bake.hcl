// The release images, for amd64 and arm64: make images, make push REGISTRY=... VERSION=...
variable "VERSION" {} // make passes the one of the file VERSION
variable "REGISTRY" { default = "tessera" }
variable "REVISION" { default = "" }
variable "SOURCE" { default = "" }
variable "PLATFORMS" { default = "linux/amd64,linux/arm64" }

group "default" {
  targets = ["users", "auth", "notification", "loadtest"]
}

target "service" {
  matrix = { service = ["users", "auth", "notification"] }
  name = service
  context = "."
  args = { SERVICE = service, VERSION = VERSION, REVISION = REVISION, SOURCE = SOURCE }
  tags = ["${REGISTRY}/${service}-ms:${VERSION}"]
  platforms = split(",", PLATFORMS)
}

target "loadtest" {
  context = "."
  dockerfile = "loadtest/Dockerfile"
  args = { VERSION = VERSION }
  tags = ["${REGISTRY}/loadtest:${VERSION}"]
  platforms = split(",", PLATFORMS)
}
