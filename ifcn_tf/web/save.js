// Hands a file that the server made, {name, content in base64}, to the browser; it is nowhere on the server's disk.
watch("value", () => {
  if (!props.value) return;
  const bytes = Uint8Array.from(atob(props.value.content), (character) => character.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = props.value.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  props.value = null; // so that the same file can come again
});
