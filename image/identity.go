package image

// IdentityPath is where an image keeps its own age identity.
const IdentityPath = "/etc/bootswain/identity"
