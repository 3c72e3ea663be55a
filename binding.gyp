{
  "targets": [
    {
      "target_name": "musicldm",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/musicldm.node"],
          "action": ["npm", "run", "build:native"]
        }
      ]
    }
  ]
}
