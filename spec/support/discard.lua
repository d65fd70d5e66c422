-- Garbage with a finalizer, in each Lua.

local newproxy = rawget(_G, "newproxy")

-- Makes something that nobody holds; `finalize` is called when it is collected.
return function(finalize)
  if newproxy then
    getmetatable(newproxy(true)).__gc = finalize
  else
    setmetatable({}, { __gc = finalize })
  end
end
